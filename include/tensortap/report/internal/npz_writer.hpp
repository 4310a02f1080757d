// Arrays of numpy in an archive.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <ostream>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/report/export.hpp>
#include <tensortap/report/internal/exported_steps.hpp>
#include <tensortap/report/internal/zip_writer.hpp>
#include <tensortap/step.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/tensor.hpp>
#include <tensortap/trial/tensor_history.hpp>
#include <tensortap/trial/trial.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns numpy's code of an element type; empty if numpy has none.
constexpr std::string_view numpy_code(DType dtype) noexcept {
  constexpr std::string_view codes[dtype_count] = {"<f2", "",    "<f4", "<f8", "|i1", "<i2", "<i4",  "<i8",
                                                   "|u1", "<u2", "<u4", "<u8", "|b1", "<c8", "<c16", ""};
  return codes[static_cast<std::size_t>(dtype)];
}

class NpzWriter {
 public:
  explicit NpzWriter(std::ostream& out) : zip_(out) {}

  /// Adds the steps of a tensor of one worker, all of one mode, as one array if they fit together. The numbers are
  /// those of the history, and `name` that of the array.
  void add(const TensorHistory& tensor, const std::vector<std::int64_t>& numbers, const std::string& worker,
           const std::string& name, Exported& done) {
    std::vector<std::int64_t> steps;
    std::vector<Tensor> values;
    std::uint64_t bytes = 0;
    bool is_one_array = true;
    const auto put_each = [&] {
      for (std::size_t i = 0; i < values.size(); ++i)
        put_array(
            name + "/step_" + std::to_string(steps[i]), values[i].dtype(), values[i].shape(),
            {values.begin() + static_cast<std::ptrdiff_t>(i), values.begin() + static_cast<std::ptrdiff_t>(i) + 1});
      values.clear();
      steps.clear();
    };
    for (const std::int64_t number : numbers) {
      auto value = tensor.value(number, worker);
      if (!value || numpy_code(value->dtype()).empty()) {
        ++done.left_out;
        continue;
      }
      ++done.rows;
      bytes += value->bytes().size();
      is_one_array = is_one_array && bytes <= largest_array &&
                     (values.empty() || (values[0].dtype() == value->dtype() && values[0].shape() == value->shape()));
      steps.push_back(number);
      values.push_back(std::move(*value));
      if (!is_one_array) put_each();
    }
    if (!is_one_array || values.empty()) return;
    Tensor::Shape shape = values[0].shape();
    shape.insert(shape.begin(), static_cast<std::int64_t>(values.size()));
    put_array(name, values[0].dtype(), shape, values);
    Tensor all(DType::i64, {static_cast<std::int64_t>(steps.size())});
    std::copy(steps.begin(), steps.end(), all.as<std::int64_t>().begin());
    put_array(name + "/steps", DType::i64, all.shape(), {all});
  }

  void finish() { zip_.finish(); }

 private:
  static constexpr std::uint64_t largest_array = std::uint64_t{256} << 20;

  void put_array(const std::string& name, DType dtype, const Tensor::Shape& shape, const std::vector<Tensor>& parts) {
    std::string extents;
    for (const std::int64_t extent : shape) extents.append(std::to_string(extent)).append(", ");
    if (shape.size() > 1) extents.resize(extents.size() - 2);
    if (shape.size() == 1) extents.resize(extents.size() - 1);  // "(3,)"
    std::string header =
        "{'descr': '" + std::string(numpy_code(dtype)) + "', 'fortran_order': False, 'shape': (" + extents + "), }";
    constexpr std::size_t before = 10, alignment = 64;  // of the magic, the version and the size
    header.resize((before + header.size() + 1 + alignment - 1) / alignment * alignment - before - 1, ' ');
    header += '\n';
    std::string beginning("\x93NUMPY\x01\x00", 8);
    beginning += static_cast<char>(header.size() & 0xff);
    beginning += static_cast<char>(header.size() >> 8);
    beginning += header;
    zip_.begin(free_name(name) + ".npy");
    zip_.add(bytes_of(beginning));
    for (const Tensor& part : parts) zip_.add(part.bytes());
    zip_.end();
  }

  /// Returns `name` as a name of a file, which stays below the directory in which the archive is unpacked, and that
  /// no other array has.
  std::string free_name(const std::string& name) {
    std::string safe;
    for (std::size_t begin = 0; begin <= name.size();) {
      const std::size_t end = std::min(name.find('/', begin), name.size());
      const std::string_view part = std::string_view(name).substr(begin, end - begin);
      if (!safe.empty()) safe += '/';
      safe += part.empty() || part == "." || part == ".." ? "_" + std::string(part) : std::string(part);
      begin = end + 1;
    }
    std::replace_if(
        safe.begin(), safe.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\\'; }, '_');
    std::string out = safe;
    for (int i = 2; !names_.insert(out).second; ++i) out = safe + "~" + std::to_string(i);
    return out;
  }

  ZipWriter zip_;
  std::set<std::string> names_;
};

/// Writes all tensors that `options` select.
inline void export_npz(const Trial& trial, std::ostream& out, const ExportOptions& options, Exported& done) {
  NpzWriter writer(out);
  const bool names_workers = trial.workers().size() > 1;
  for (const Mode mode : exported_modes(trial, options)) {
    TensorQuery query = options.query;
    query.mode = mode;
    for (const TensorHistory& tensor : trial.tensors(query)) {
      std::map<std::string, std::vector<std::int64_t>> by_worker;
      for (const std::int64_t number : tensor.steps()) {
        if (!is_exported(trial, options, mode, number)) continue;
        for (const std::string& worker : tensor.workers(number))
          if (options.worker.empty() || options.worker == worker) by_worker[worker].push_back(number);
      }
      for (const auto& [worker, numbers] : by_worker)
        writer.add(tensor, numbers, worker,
                   std::string(to_string(mode)) + "/" + tensor.name() + (names_workers ? "/" + worker : ""), done);
    }
  }
  writer.finish();
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
