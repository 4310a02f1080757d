// A table as Parquet: uncompressed, names coded by dictionaries, numbers plain. Rows are collected by column; a row
// group of a million rows is sorted by tensor, mode, step and worker, and written. Source: the Parquet format,
// version 1.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <numeric>
#include <ostream>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/report/internal/table_row.hpp>
#include <tensortap/report/internal/thrift.hpp>
#include <tensortap/version.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

class ParquetWriter {
 public:
  explicit ParquetWriter(std::ostream& out) : out_(out) { write("PAR1"); }

  void add(const TableRow& row) {
    const std::string_view texts[] = {to_string(row.step.mode), row.worker, row.tensor, row.dtype};
    for (std::size_t i = 0; i < text_columns; ++i) texts_[i].add(texts[i]);
    shapes_.add(row.shape ? shape_in_table(*row.shape) : std::string());
    integers_[0].push_back(row.step.global_step);
    integers_[1].push_back(row.step.mode_step);
    for (std::size_t i = 0; i < NumberColumns::size; ++i) numbers_[i].add(row.numbers[i]);
    if (++rows_ == rows_of_group) write_group();
  }

  void finish() {
    if (rows_ > 0) write_group();
    ThriftStruct file;
    file.add_i32(1, 1);
    file.add_list(2, schema());
    file.add_i64(3, all_rows_);
    file.add_list(4, groups_);
    file.add_string(6, std::string("tensortap ") + version);
    const std::string footer = file.finished();
    write(footer);
    std::string size;
    append_little_endian(size, static_cast<std::uint32_t>(footer.size()));
    write(size);
    write("PAR1");
  }

 private:
  static constexpr std::size_t text_columns = 4;
  static constexpr std::int64_t rows_of_group = 1'000'000;

  // Numbers of Parquet's enumerations.
  static constexpr std::int32_t type_int64 = 2, type_double = 5, type_byte_array = 6;
  static constexpr std::int32_t required = 0, optional = 1, utf8 = 0;
  static constexpr std::int32_t plain_coding = 0, rle_coding = 3, dictionary_coding = 8;
  static constexpr std::int32_t data_page = 0, dictionary_page = 2;

  /// A column of texts: a dictionary, and for each row its place there.
  struct Texts {
    std::map<std::string, std::uint32_t, std::less<>> places;
    std::vector<std::string_view> dictionary;  // keys of `places`
    std::vector<std::uint32_t> rows;

    void add(std::string_view text) {
      auto found = places.find(text);
      if (found == places.end()) {
        found = places.emplace(text, static_cast<std::uint32_t>(dictionary.size())).first;
        dictionary.push_back(found->first);
      }
      rows.push_back(found->second);
    }
    void clear() { *this = {}; }
  };

  /// A column of numbers, some of which are missing.
  struct Numbers {
    std::vector<double> rows;
    std::vector<bool> has;

    void add(const std::optional<double>& number) {
      rows.push_back(number.value_or(0));
      has.push_back(number.has_value());
    }
    void clear() { *this = {}; }
  };

  template <class T>
  static void append_little_endian(std::string& out, T value) {
    static_assert(std::endian::native == std::endian::little);
    char bytes[sizeof value];
    std::memcpy(bytes, &value, sizeof value);
    out.append(bytes, sizeof value);
  }

  void write(std::string_view bytes) {
    out_.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    at_ += static_cast<std::int64_t>(bytes.size());
  }

  /// Returns values of `bits` bits each, as one bit-packed run of Parquet's hybrid coding.
  template <class At>
  static std::string bit_packed(std::size_t count, unsigned bits, const At& at) {
    std::string out;
    const std::size_t groups = (count + 7) / 8;
    append_varint(out, groups << 1 | 1);
    std::uint64_t buffer = 0;
    unsigned filled = 0;
    for (std::size_t i = 0; i < groups * 8; ++i) {
      buffer |= (i < count ? std::uint64_t{at(i)} : 0) << filled;
      for (filled += bits; filled >= 8; filled -= 8, buffer >>= 8) out += static_cast<char>(buffer & 0xff);
    }
    return out;
  }

  /// Writes a page and returns the size of its header and body.
  std::int64_t write_page(std::int32_t type, std::int64_t values, std::int32_t coding, const std::string& body) {
    ThriftStruct header, kind;
    header.add_i32(1, type);
    header.add_i32(2, static_cast<std::int32_t>(body.size()));
    header.add_i32(3, static_cast<std::int32_t>(body.size()));
    kind.add_i32(1, static_cast<std::int32_t>(values));
    kind.add_i32(2, coding);
    if (type == data_page) {
      kind.add_i32(3, rle_coding);
      kind.add_i32(4, rle_coding);
    }
    header.add_struct(type == data_page ? 5 : 7, kind);
    const std::string bytes = header.finished();
    write(bytes);
    write(body);
    return static_cast<std::int64_t>(bytes.size() + body.size());
  }

  /// Notes a column chunk that was written, in one or two pages.
  void end_column(std::string_view name, std::int32_t type, std::int64_t begin, std::int64_t size,
                  std::int64_t dictionary_size) {
    const bool is_coded = dictionary_size > 0;
    ThriftStruct column, chunk;
    column.add_i32(1, type);
    column.add_list(2, is_coded ? std::vector<std::int32_t>{plain_coding, rle_coding, dictionary_coding}
                                : std::vector<std::int32_t>{plain_coding, rle_coding});
    column.add_list(3, std::vector<std::string_view>{name});
    column.add_i32(4, 0);
    column.add_i64(5, rows_);
    column.add_i64(6, size);
    column.add_i64(7, size);
    column.add_i64(9, begin + dictionary_size);
    if (is_coded) column.add_i64(11, begin);
    chunk.add_i64(2, begin);
    chunk.add_struct(3, column);
    columns_.push_back(std::move(chunk));
    group_size_ += size;
  }

  void write_integers(std::string_view name, const std::vector<std::int64_t>& rows) {
    std::string body;
    body.reserve(rows.size() * sizeof(std::int64_t));
    for (const std::size_t i : order_) append_little_endian(body, rows[i]);
    const std::int64_t begin = at_;
    end_column(name, type_int64, begin, write_page(data_page, rows_, plain_coding, body), 0);
  }

  void write_texts(std::string_view name, const Texts& texts) {
    std::string dictionary;
    for (const std::string_view text : texts.dictionary) {
      append_little_endian(dictionary, static_cast<std::uint32_t>(text.size()));
      dictionary += text;
    }
    const auto bits =
        static_cast<unsigned>(std::max<int>(1, static_cast<int>(std::bit_width(texts.dictionary.size() - 1))));
    std::string body(1, static_cast<char>(bits));
    body += bit_packed(order_.size(), bits, [&](std::size_t i) { return texts.rows[order_[i]]; });
    const std::int64_t begin = at_;
    const std::int64_t first =
        write_page(dictionary_page, static_cast<std::int64_t>(texts.dictionary.size()), plain_coding, dictionary);
    end_column(name, type_byte_array, begin, first + write_page(data_page, rows_, dictionary_coding, body), first);
  }

  void write_numbers(std::string_view name, const Numbers& numbers) {
    const std::string levels =
        bit_packed(order_.size(), 1, [&](std::size_t i) { return numbers.has[order_[i]] ? 1U : 0U; });
    std::string body;
    append_little_endian(body, static_cast<std::uint32_t>(levels.size()));
    body += levels;
    for (const std::size_t i : order_)
      if (numbers.has[i]) append_little_endian(body, numbers.rows[i]);
    const std::int64_t begin = at_;
    end_column(name, type_double, begin, write_page(data_page, rows_, plain_coding, body), 0);
  }

  void write_group() {
    sort_rows();
    group_size_ = 0;
    columns_.clear();
    const std::int64_t begin = at_;
    write_integers("step", integers_[0]);
    write_texts("mode", texts_[0]);
    write_integers("mode_step", integers_[1]);
    write_texts("worker", texts_[1]);
    write_texts("tensor", texts_[2]);
    write_texts("dtype", texts_[3]);
    write_texts("shape", shapes_);
    for (std::size_t i = 0; i < NumberColumns::size; ++i) write_numbers(NumberColumns::name(i), numbers_[i]);
    ThriftStruct group;
    group.add_list(1, columns_);
    group.add_i64(2, group_size_);
    group.add_i64(3, rows_);
    group.add_i64(5, begin);
    groups_.push_back(std::move(group));
    all_rows_ += std::exchange(rows_, 0);
    for (Texts& texts : texts_) texts.clear();
    shapes_.clear();
    for (auto& integers : integers_) integers.clear();
    for (Numbers& numbers : numbers_) numbers.clear();
  }

  void sort_rows() {
    order_.resize(static_cast<std::size_t>(rows_));
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    const auto key = [&](std::size_t i) {
      return std::tuple(texts_[2].dictionary[texts_[2].rows[i]], integers_[0][i],
                        texts_[1].dictionary[texts_[1].rows[i]]);
    };
    std::stable_sort(order_.begin(), order_.end(), [&](std::size_t a, std::size_t b) { return key(a) < key(b); });
  }

  static std::vector<ThriftStruct> schema() {
    std::vector<ThriftStruct> out(1);
    constexpr auto columns = static_cast<std::int32_t>(3 + text_columns + NumberColumns::size);
    out[0].add_string(4, "run");
    out[0].add_i32(5, columns);
    const auto add = [&](std::string_view name, std::int32_t type, std::int32_t repetition) {
      ThriftStruct& column = out.emplace_back();
      column.add_i32(1, type);
      column.add_i32(3, repetition);
      column.add_string(4, name);
      if (type == type_byte_array) column.add_i32(6, utf8);
    };
    add("step", type_int64, required);
    add("mode", type_byte_array, required);
    add("mode_step", type_int64, required);
    for (const char* const name : {"worker", "tensor", "dtype", "shape"}) add(name, type_byte_array, required);
    for (std::size_t i = 0; i < NumberColumns::size; ++i) add(NumberColumns::name(i), type_double, optional);
    return out;
  }

  std::ostream& out_;
  std::int64_t at_ = 0;

  // The row group that is being collected:
  std::int64_t rows_ = 0;
  Texts texts_[text_columns];  // mode, worker, tensor, dtype
  Texts shapes_;
  std::vector<std::int64_t> integers_[2];  // step, mode_step
  Numbers numbers_[NumberColumns::size];
  std::vector<std::size_t> order_;
  std::vector<ThriftStruct> columns_;
  std::int64_t group_size_ = 0;

  std::vector<ThriftStruct> groups_;
  std::int64_t all_rows_ = 0;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
