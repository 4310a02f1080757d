#include <tensortap/record/event.hpp>

#include <array>
#include <complex>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/record/internal/event_encoder.hpp>
#include <tensortap/record/internal/wire.hpp>
#include <tensortap/record/tfrecord.hpp>
#include <tensortap/tensor/as_view.hpp>

#include "catch.hpp"
#include "record/encode_event.hpp"

namespace tt = tensortap;
namespace wire = tensortap::detail::wire;
using tt::DType;

namespace {

const tt::EventInfo info{.tag = "fc1.weight", .step = {tt::Mode::eval, 21, 42}, .wall_time = 1.7e9 + 0.5};

using tt::bytes_of;

/// Returns the whole record of `view`.
std::string record_of(const tt::EventInfo& about, const tt::TensorView& view) {
  const auto encoded = encode_event(about, view);
  std::string elements(view.nbytes(), '\0');
  if (view.dtype() != DType::string) tt::copy_row_major(view, reinterpret_cast<std::byte*>(elements.data()));
  return encoded.head + elements + encoded.tail;
}

/// Returns the message inside the record of `view`.
std::string message_of(const tt::EventInfo& about, const tt::TensorView& view) {
  const std::string record = record_of(about, view);
  const auto payload = tt::tfrecord::payload(bytes_of(record), "");
  CHECK(payload.size() + 16 == record.size());
  return {reinterpret_cast<const char*>(payload.data()), payload.size()};
}

tt::Event parse(const std::string& message) { return tt::parse_event(bytes_of(message)); }

tt::Event round_trip(const tt::Tensor& tensor) { return parse(message_of(info, as_view(tensor))); }

std::string from_hex(const std::string& hex) {
  std::string out;
  for (std::size_t i = 0; i < hex.size(); i += 2) out += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return out;
}

/// A message, built field by field.
struct Message {
  std::string text;
  Message& integer(std::uint32_t field, std::int64_t value) {
    wire::put_tag(text, field, wire::Type::varint);
    wire::put_varint(text, static_cast<std::uint64_t>(value));
    return *this;
  }
  Message& bytes(std::uint32_t field, const std::string& content) {
    wire::put_bytes(text, field, content);
    return *this;
  }
  Message& add(const Message& other) {
    text += other.text;
    return *this;
  }
};

template <class T>
std::string raw(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof(T)};
}

Message shape_of(const std::vector<std::int64_t>& extents) {
  Message shape;
  for (const std::int64_t extent : extents) shape.bytes(2, Message().integer(1, extent).text);
  return Message().bytes(2, shape.text);
}

/// Returns a TensorProto without elements.
Message message_of_tensor(int dtype, const std::vector<std::int64_t>& extents) {
  return Message().integer(1, dtype).add(shape_of(extents));
}

/// Returns the Event around a TensorProto.
std::string event_of(const Message& tensor) {
  return Message().bytes(5, Message().bytes(1, Message().bytes(1, "x").bytes(8, tensor.text).text).text).text;
}

tt::Tensor tensor_in(const Message& tensor) { return parse(event_of(tensor)).tensor; }

template <class T>
std::vector<T> values(const tt::Tensor& tensor) {
  const auto elements = tensor.as<T>();
  return {elements.begin(), elements.end()};
}

}  // namespace

TEST_CASE("every element type is parsed back to equal elements", "[record][event]") {
  for (std::size_t i = 0; i < tt::dtype_count; ++i) {
    const auto dtype = static_cast<DType>(i);
    if (dtype == DType::string) continue;
    CAPTURE(to_string(dtype));
    tt::Tensor tensor(dtype, {2, 3});
    for (std::size_t b = 0; b < tensor.bytes().size(); ++b)
      tensor.bytes()[b] = static_cast<std::byte>(dtype == DType::boolean ? b % 2 : b * 37 + 1);
    CHECK(round_trip(tensor).tensor == tensor);
  }
}

TEST_CASE("strings are parsed back to equal strings", "[record][event]") {
  const tt::Tensor tensor(std::vector<std::string>{"hello", "", std::string("a\0b", 3),
                                                   "gr\xc3\xbc\xc3\x9f"
                                                   "e",
                                                   std::string(300, 'x')});
  const auto event = round_trip(tensor);
  CHECK(event.tensor == tensor);
  CHECK(event.tensor.strings() == tensor.strings());
  CHECK(round_trip(tt::Tensor(std::vector<std::string>{})).tensor == tt::Tensor(std::vector<std::string>{}));
}

TEST_CASE("every shape is parsed back to an equal shape", "[record][event]") {
  for (const tt::Tensor::Shape& shape :
       {tt::Tensor::Shape{}, {1}, {0}, {0, 3}, {3, 0, 2}, {7}, {1, 1, 1}, {2, 3, 4}, {1, 2, 1, 2, 1, 2, 1, 2}}) {
    CAPTURE(shape);
    tt::Tensor tensor(DType::i32, shape);
    std::iota(tensor.as<std::int32_t>().begin(), tensor.as<std::int32_t>().end(), 1);
    CHECK(round_trip(tensor).tensor == tensor);
  }
}

TEST_CASE("the tag, the step and the time of a record are parsed back", "[record][event]") {
  for (const tt::Mode mode : tt::all_modes)
    for (const std::int64_t step : {std::int64_t{0}, std::int64_t{1}, INT64_MAX}) {
      const tt::EventInfo about{.tag = "a\nb", .step = {mode, step, step / 2}, .wall_time = -0.25};
      const auto event = parse(message_of(about, tt::as_view(1.0F)));
      CHECK(event.info.tag == about.tag);
      CHECK(event.info.step == about.step);
      CHECK(event.info.wall_time == about.wall_time);
    }
}

TEST_CASE("a strided view is written in row-major order", "[record][event]") {
  const std::array<float, 6> columns = {1, 4, 2, 5, 3, 6};
  const std::array<std::int64_t, 2> shape = {2, 3};
  const std::array<std::int64_t, 2> strides = {1, 2};
  const auto event = parse(message_of(info, {columns.data(), DType::f32, shape, strides}));
  CHECK(event.tensor.shape() == tt::Tensor::Shape{2, 3});
  CHECK(values<float>(event.tensor) == std::vector<float>{1, 2, 3, 4, 5, 6});
  const std::array<std::int64_t, 2> backwards = {-3, -1};
  const std::array<float, 6> reversed = {6, 5, 4, 3, 2, 1};
  const auto again = parse(message_of(info, {&reversed[5], DType::f32, shape, backwards}));
  CHECK(again.tensor == event.tensor);
}

// Hexadecimal: the output of `protoc --encode` for messages of smdebug.
TEST_CASE("a matrix is written byte for byte as protoc writes it", "[record][event]") {
  const std::string expected = from_hex(
      "0900002040fc54d941102a2a700a6e0a0a6663312e77656967687442420801122412100802120c6663312e7765696768745f321210080312"
      "0c66"
      "63312e7765696768745f3322180000803f0000004000004040000080400000a0400000c0404a1c0a0f0a096d6f64655f7374657012023231"
      "0a090a046d6f6465120132");
  const std::vector<float> elements = {1, 2, 3, 4, 5, 6};
  const std::array<std::int64_t, 2> shape = {2, 3};
  CHECK(message_of(info, {elements.data(), DType::f32, shape}) == expected);
  const auto event = parse(expected);
  CHECK(event.info.tag == info.tag);
  CHECK(event.info.step == info.step);
  CHECK(event.info.wall_time == info.wall_time);
  CHECK(event.tensor.shape() == tt::Tensor::Shape{2, 3});
  CHECK(values<float>(event.tensor) == elements);
}

TEST_CASE("strings in step 0 are written byte for byte as protoc writes them", "[record][event]") {
  const std::string expected = from_hex(
      "09000000000000f43f2a400a3e0a05776f7264734218120d120b08021207776f7264735f32420568656c6c6f42004a1b0a0e0a096d6f6465"
      "5f73"
      "74657012013"
      "00a090a046d6f6465120131");
  const std::vector<std::string> words = {"hello", ""};
  CHECK(message_of({.tag = "words", .step = {}, .wall_time = 1.25}, tt::as_view(words)) == expected);
  CHECK(parse(expected).tensor.strings() == words);
}

TEST_CASE("numbers that protoc writes outside of tensor_content are read, and unused fields are skipped",
          "[record][event]") {
  const auto event =
      parse(from_hex("10072a480a460a016e3a0769676e6f726564421b080912061202080318011803520d01feffffffffffffffff01ac024a1"
                     "b0a0e0a096d6f64655f"
                     "737465701201370a090a046d6f6465120134"));
  CHECK(event.info.tag == "n");
  CHECK(event.info.step == tt::Step{tt::Mode::global, 7, 7});
  CHECK(event.tensor.shape() == tt::Tensor::Shape{3});
  CHECK(values<std::int64_t>(event.tensor) == std::vector<std::int64_t>{1, -2, 300});
}

TEST_CASE("an event leaves proto3 defaults out", "[record][event]") {
  const auto fields = [](const std::string& message) {
    std::vector<std::uint32_t> out;
    for (wire::Reader reader(bytes_of(message)); reader.next();) out.push_back(reader.field());
    return out;
  };
  CHECK(fields(message_of({.tag = "", .step = {}, .wall_time = 0}, tt::as_view(1.0F))) ==
        std::vector<std::uint32_t>{5});
  CHECK(fields(message_of(info, tt::as_view(1.0F))) == std::vector<std::uint32_t>{1, 2, 5});
  CHECK(parse(message_of({.tag = "", .step = {}, .wall_time = 0}, tt::as_view(1.0F))).info.tag.empty());
}

TEST_CASE("a tensor without axes has an empty shape message", "[record][event]") {
  const float value = 3;
  const std::string message = message_of(info, {&value, DType::f32, {}});
  CHECK_THAT(message, contains(std::string("\x08\x01\x12\x00\x22\x04", 6)));
}

TEST_CASE("numbers fill a tensor that has no content, packed or not", "[record][event]") {
  const auto floats = message_of_tensor(1, {3});
  Message unpacked = floats;
  for (const float x : {0.5F, -2.0F, 3e38F}) {
    wire::put_tag(unpacked.text, 5, wire::Type::fixed32);
    unpacked.text += raw(x);
  }
  const std::vector<float> expected = {0.5F, -2.0F, 3e38F};
  CHECK(values<float>(tensor_in(unpacked)) == expected);
  CHECK(values<float>(tensor_in(Message(floats).bytes(5, raw(0.5F) + raw(-2.0F) + raw(3e38F)))) == expected);
  CHECK(values<float>(tensor_in(Message(floats).bytes(5, raw(0.5F)).bytes(5, raw(-2.0F) + raw(3e38F)))) == expected);

  CHECK(values<double>(tensor_in(message_of_tensor(2, {2}).bytes(6, raw(1e300) + raw(-0.1)))) ==
        std::vector<double>{1e300, -0.1});
  CHECK(values<std::int32_t>(tensor_in(message_of_tensor(3, {2}).integer(7, 5).integer(7, -6))) ==
        std::vector<std::int32_t>{5, -6});
  CHECK(values<std::uint8_t>(tensor_in(message_of_tensor(4, {2}).bytes(7, std::string("\x05\xff\x01", 3)))) ==
        std::vector<std::uint8_t>{5, 255});
  CHECK(values<std::int64_t>(tensor_in(message_of_tensor(9, {1}).integer(10, INT64_MIN))) ==
        std::vector<std::int64_t>{INT64_MIN});
  CHECK(values<bool>(tensor_in(message_of_tensor(10, {3}).bytes(11, std::string("\x01\x00\x02", 3)))) ==
        std::vector<bool>{true, false, true});
  CHECK(values<float>(tensor_in(message_of_tensor(1, {}).bytes(5, raw(7.0F)))) == std::vector<float>{7});
}

TEST_CASE("numbers that do not fill the shape are refused", "[record][event]") {
  CHECK_THROWS_WITH(tensor_in(message_of_tensor(1, {2}).bytes(5, raw(1.0F))),
                    contains("record: \"tensor\": its elements do not fill its shape (1 of 2 elements)"));
  CHECK_THROWS_WITH(tensor_in(message_of_tensor(1, {2})),
                    contains("its elements do not fill its shape (0 of 2 elements)"));
  CHECK_THROWS_WITH(tensor_in(message_of_tensor(3, {1}).integer(7, 1).integer(10, 2)), contains("(2 of 1 elements)"));
  CHECK_THROWS_WITH(tensor_in(message_of_tensor(1, {1}).bytes(5, "abc")), contains("a packed field is cut off"));
  CHECK_THROWS_WITH(tensor_in(message_of_tensor(3, {1}).bytes(7, "\x80")), contains("a field is cut off"));
  CHECK_THROWS_WITH(tensor_in(message_of_tensor(8, {1}).bytes(5, raw(1.0F))),
                    contains("elements of type complex64 as numbers"));
}

TEST_CASE("content of the wrong size is refused", "[record][event]") {
  for (const std::size_t size : {std::size_t{1}, std::size_t{23}, std::size_t{25}, std::size_t{48}})
    CHECK_THROWS_WITH(tensor_in(message_of_tensor(1, {2, 3}).bytes(4, std::string(size, 'x'))),
                      contains("its elements do not fill its shape"));
  CHECK_NOTHROW(tensor_in(message_of_tensor(1, {2, 3}).bytes(4, std::string(24, 'x'))));
  CHECK_THROWS_WITH(tensor_in(message_of_tensor(1, {0}).bytes(4, std::string(4, 'x'))),
                    contains("its elements do not fill its shape"));
  CHECK_THROWS_WITH(tensor_in(message_of_tensor(0, {2}).bytes(8, "one")),
                    contains("the number of strings does not fit the shape"));
  CHECK_THROWS_WITH(tensor_in(message_of_tensor(0, {1, 1}).bytes(8, "one")),
                    contains("the number of strings does not fit the shape"));
  CHECK_THROWS_WITH(tensor_in(message_of_tensor(0, {}).bytes(8, "one")),
                    contains("the number of strings does not fit the shape"));
}

TEST_CASE("a shape whose size overflows is refused", "[record][event]") {
  const std::int64_t large = std::int64_t{1} << 32;
  for (const std::vector<std::int64_t>& shape : {std::vector<std::int64_t>{large, large},
                                                 {large, large, 0},
                                                 {INT64_MAX},
                                                 {-1},
                                                 {2, INT64_MIN},
                                                 {large, large, large, large},
                                                 {std::int64_t{1} << 61}})
    CHECK_THROWS_WITH(tensor_in(message_of_tensor(1, shape).bytes(4, "abcd")),
                      contains("shape is negative or its size overflows"));
  CHECK_THROWS_WITH(tensor_in(message_of_tensor(0, {INT64_MAX, 2})),
                    contains("shape is negative or its size overflows"));
}

TEST_CASE("claims of 2^60 elements are refused before any allocation", "[record][event]") {
  const std::int64_t huge = std::int64_t{1} << 60;
  CHECK_THROWS_WITH(tensor_in(message_of_tensor(4, {huge})), contains("(0 of 1152921504606846976 elements)"));
  CHECK_THROWS_WITH(tensor_in(message_of_tensor(4, {huge}).bytes(4, "abc")),
                    contains("(3 of 1152921504606846976 elements)"));
  CHECK_THROWS_WITH(tensor_in(message_of_tensor(4, {huge}).integer(7, 1)),
                    contains("(1 of 1152921504606846976 elements)"));
  CHECK_THROWS_WITH(tensor_in(message_of_tensor(0, {huge}).bytes(8, "one")),
                    contains("the number of strings does not fit"));
  Message length;
  wire::put_length(length.text, 4, static_cast<std::size_t>(huge));
  CHECK_THROWS_WITH(tensor_in(message_of_tensor(4, {huge}).add(length)), contains("a field is cut off"));
}

TEST_CASE("eight axes are read, nine refused", "[record][event]") {
  CHECK(tensor_in(message_of_tensor(1, std::vector<std::int64_t>(8, 1)).bytes(4, "abcd")).rank() == 8);
  CHECK_THROWS_WITH(tensor_in(message_of_tensor(1, std::vector<std::int64_t>(9, 1)).bytes(4, "abcd")),
                    contains("rank is too large (9, at most 8)"));
}

TEST_CASE("an unknown element type is refused", "[record][event]") {
  for (const int number : {11, 13, 20, 24, 101, 275, -1})
    CHECK_THROWS_WITH(tensor_in(message_of_tensor(number, {1}).bytes(4, "abcd")),
                      contains("no element type has the number " + std::to_string(number)));
  CHECK(tensor_in(message_of_tensor(7, {1}).bytes(8, "TensorFlow's")).strings() ==
        std::vector<std::string>{"TensorFlow's"});
}

TEST_CASE("bytes other than 0 and 1 in a bool tensor are read as true", "[record][event]") {
  const auto tensor = tensor_in(message_of_tensor(10, {4}).bytes(4, std::string("\x00\x01\x02\xff", 4)));
  CHECK(values<bool>(tensor) == std::vector<bool>{false, true, true, true});
  CHECK(tensor.number(3) == 1);
}

TEST_CASE("unknown fields are skipped at every level", "[record][event]") {
  Message unknown = Message().integer(15, 1).bytes(100, "anything");
  wire::put_tag(unknown.text, 101, wire::Type::fixed64);
  unknown.text += "8 bytes.";
  wire::put_tag(unknown.text, 102, wire::Type::fixed32);
  unknown.text += "four";
  const Message dim = Message(unknown).integer(1, 2).bytes(2, "x_2").add(unknown);
  const Message shape = Message(unknown).bytes(2, dim.text).add(unknown);
  const Message tensor = Message(unknown).integer(1, 4).bytes(2, shape.text).bytes(4, "ab").add(unknown);
  const Message plugin = Message(unknown).bytes(1, "mode").bytes(2, "3").add(unknown);
  const Message metadata = Message(unknown).bytes(1, plugin.text).add(unknown);
  const Message value = Message(unknown).bytes(1, "x").bytes(8, tensor.text).bytes(9, metadata.text).add(unknown);
  const Message summary = Message(unknown).bytes(1, value.text).add(unknown);
  const auto event = parse(Message(unknown).integer(2, 9).bytes(5, summary.text).add(unknown).text);
  CHECK(event.info.tag == "x");
  CHECK(event.info.step == tt::Step{tt::Mode::predict, 0, 9});
  CHECK(event.tensor.shape() == tt::Tensor::Shape{2});
}

TEST_CASE("invalid modes and steps are ignored", "[record][event]") {
  for (const std::string content : {"", "0", "5", "x", "1x", "99999999999999999999", "-1"}) {
    const Message metadata = Message().bytes(1, Message().bytes(1, "mode").bytes(2, content).text);
    const Message value =
        Message().bytes(1, "x").bytes(8, message_of_tensor(4, {1}).bytes(4, "a").text).bytes(9, metadata.text);
    CHECK(parse(Message().bytes(5, Message().bytes(1, value.text).text).text).info.step == tt::Step{});
  }
}

TEST_CASE("an event without a tensor is refused", "[record][event]") {
  CHECK_THROWS_WITH(parse(""), contains("it holds no tensor"));
  CHECK_THROWS_WITH(parse(Message().bytes(3, "brain.Event:2").text), contains("it holds no tensor"));
  CHECK_THROWS_WITH(parse(Message().bytes(5, "").text), contains("it holds no tensor"));
  CHECK_THROWS_WITH(parse(Message().bytes(5, Message().bytes(1, Message().bytes(1, "loss").text).text).text),
                    contains("record: \"loss\": it holds no tensor"));
}

TEST_CASE("an event cut at any byte is refused", "[record][event]") {
  const std::vector<float> elements = {1, 2, 3, 4, 5, 6};
  const std::string message = message_of(info, tt::as_view(elements));
  for (std::size_t size = 0; size < message.size(); ++size) {
    CAPTURE(size);
    CHECK_THROWS_AS(parse(message.substr(0, size)), tt::Error);
  }
}

TEST_CASE("one encoder for a step writes the same records as one encoder for each record", "[record][event]") {
  for (const tt::Step& step : {tt::Step{tt::Mode::train, 0, 0}, tt::Step{tt::Mode::eval, 127, 128},
                               tt::Step{tt::Mode::predict, INT64_MAX, INT64_MAX}, tt::Step{tt::Mode::global, 1, -1}}) {
    const tt::detail::EventEncoder encoder(step);
    std::string all;
    std::string expected;
    const auto append = [&](const std::string& tag, double wall_time, const tt::TensorView& view) {
      encoder.append_head(all, tag, wall_time, view);
      all += encoder.tail();
      const auto one = encode_event({.tag = tag, .step = step, .wall_time = wall_time}, view);
      expected += one.head + one.tail;
      CHECK(one.tail == encoder.tail());
    };
    for (std::size_t i = 0; i < 400; ++i) {  // lengths on both sides of where a varint grows
      const std::string tag(i, 't');
      std::vector<double> elements(i % 3 == 0 ? i : i * 20);
      append(tag, static_cast<double>(i), tt::as_view(elements));
    }
    append("", 0.0, tt::as_view(1.0F));
    append("negative zero", -0.0, tt::as_view(1.0F));
    append("strings", 1.0, tt::as_view(std::vector<std::string>{"", "a", std::string(300, 's')}));
    append("none", 1.0, tt::as_view(std::vector<std::string>{}));
    for (const tt::Tensor::Shape& shape : {tt::Tensor::Shape{}, {0}, {1, 1}, {127, 1}, {128, 1}, {16384, 1}})
      for (std::size_t dtype = 0; dtype < tt::dtype_count; ++dtype)
        if (static_cast<DType>(dtype) != DType::string)
          append("shapes", 2.5, tt::TensorView(nullptr, static_cast<DType>(dtype), shape));
    CHECK(all == expected);
  }
}

TEST_CASE("every length field is equal to the length of its content", "[record][event]") {
  const tt::Step step{tt::Mode::eval, 300, 70'000};
  for (const std::size_t tag_size : {0U, 1U, 100U, 126U, 127U, 128U, 16'383U, 16'384U})
    for (const std::int64_t extent : {0, 1, 15, 16, 31, 32, 4095, 4096}) {
      CAPTURE(tag_size, extent);
      const std::vector<float> elements(static_cast<std::size_t>(extent), 1.5F);
      const std::string tag(tag_size, 't');
      const auto event = parse(message_of({.tag = tag, .step = step, .wall_time = 1.0}, tt::as_view(elements)));
      CHECK(event.info.tag == tag);
      CHECK(event.info.step == step);
      CHECK(event.info.wall_time == 1.0);
      CHECK(event.tensor == tt::Tensor(tt::as_view(elements)));
      const std::string message = message_of({.tag = tag, .step = step, .wall_time = 1.0}, tt::as_view(elements));
      int values = 0;
      for (wire::Reader outer(bytes_of(message)); outer.next();) {
        if (outer.field() == 1) (void)outer.real();
        if (outer.field() == 2) CHECK(outer.integer() == step.global_step);
        if (outer.field() != 5) continue;
        for (wire::Reader summary(outer.bytes()); summary.next(); ++values)
          for (wire::Reader value(summary.bytes()); value.next();)
            CHECK((value.field() == 1 || value.field() == 8 || value.field() == 9));
      }
      CHECK(values == 1);
    }
}
