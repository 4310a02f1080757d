#include <tensortap/capture/internal/step_encoder.hpp>

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <tensortap/record/event.hpp>
#include <tensortap/record/index.hpp>

#include "catch.hpp"
#include "record/encode_event.hpp"

namespace tt = tensortap;
using R = tt::Reduction;

namespace {

/// A step of a test, and the names that its records refer to.
class SavedStep {
 public:
  explicit SavedStep(const tt::Step& step) { records.begin(step); }

  void raw(const std::string& name, const tt::TensorView& view, double wall_time = 1.5) {
    tt::detail::StepRecords::copy(view, records.add(known(name), view, wall_time));
  }
  void reduction(const std::string& name, R r, double value, double wall_time = 1.5) {
    tt::Reduced reduced{.reduction = r, .dtype = tt::DType::f64};
    std::memcpy(reduced.bytes.data(), &value, sizeof value);
    tt::ReducedSet values;
    values.push_back(reduced);
    records.add(known(name), values, wall_time);
  }
  void shape(const std::string& name, const tt::TensorView& view) { records.add_shape(known(name), view); }

  tt::detail::StepRecords records;

 private:
  const tt::detail::TrackedTensor& known(const std::string& name) {
    names_.push_back(std::make_unique<tt::detail::TrackedTensor>(tt::detail::TrackedTensor{name, {}}));
    return *names_.back();
  }
  std::vector<std::unique_ptr<tt::detail::TrackedTensor>> names_;
};

std::string joined(std::span<const tt::Bytes> pieces) {
  std::string out;
  for (const tt::Bytes piece : pieces) out += tt::text_of(piece);
  return out;
}

tt::detail::StepEncoder encoder_for(std::optional<std::int64_t> run, bool strip = false) {
  return {"worker_0", run, strip};
}

const tt::Step eval_step{tt::Mode::eval, 21, 4200};

}  // namespace

TEST_CASE("every record of an encoded step lies where the index says and equals the saved tensor",
          "[capture][step_encoder]") {
  SavedStep step(eval_step);
  const std::vector<float> small = {1, 2, 3};
  std::vector<double> large(70'000);
  std::iota(large.begin(), large.end(), 0.5);
  const std::array<std::int64_t, 2> no_rows = {0, 3};
  step.raw("fc1.weight", tt::as_view(small), 17.25);
  step.raw("large", tt::as_view(large));
  const std::vector<double> larger(200'000, 1.25);  // its checksum is taken while it is copied
  step.raw("larger", tt::as_view(larger));
  step.raw("scalar", tt::as_view(2.5F), 0.0);
  step.raw("empty", {nullptr, tt::DType::i32, no_rows});
  step.shape("fc1.bias", tt::as_view(small));
  step.raw("text", tt::as_view(std::vector<std::string>{"a", "", "bc"}));
  step.reduction("fc1.weight", R::abs_mean, 2.0);
  step.raw("\xc3\xbc \"q\"", tt::as_view(true));

  auto encoder = encoder_for(3);
  encoder.encode(step.records);
  const std::string events = joined(encoder.events());
  CHECK(events.size() == encoder.bytes());
  CHECK(encoder.event_key() == "events/000000004200/000000004200_worker_0.tfevents");
  CHECK(encoder.index_key() == "index/000000004/000000004200_worker_0.json");

  const auto index = tt::parse_index(encoder.index(), encoder.index_key());
  CHECK(index.mode == tt::Mode::eval);
  CHECK(index.mode_step == 21);
  CHECK(index.attempt == 3);
  CHECK(index.event_file == encoder.event_key());
  REQUIRE(index.shapes.size() == 1);
  CHECK(index.shapes[0].name == "fc1.bias");
  CHECK(index.shapes[0].original_name == "fc1.bias");
  CHECK(index.shapes[0].shape == std::vector<std::int64_t>{3});

  std::vector<const tt::detail::CapturedRecord*> saved;
  for (const auto& record : step.records.records())
    if (record.kind != tt::detail::CapturedRecord::Kind::shape) saved.push_back(&record);
  REQUIRE(index.tensors.size() == saved.size());
  std::uint64_t end = 0;
  for (std::size_t i = 0; i < saved.size(); ++i) {
    const tt::TensorLocation& at = index.tensors[i];
    CAPTURE(at.name);
    CHECK(at.start == end);  // without a gap
    end = at.start + at.length;
    REQUIRE(end <= events.size());
    const auto payload = tt::tfrecord::payload(tt::bytes_of(events).subspan(at.start, at.length), at.name);
    CHECK(payload.size() + 16 == at.length);
    CHECK(at.crc32c == tt::crc32c(payload));
    const tt::Event event = tt::parse_event(payload);
    CHECK(event.info.tag == at.name);
    CHECK(event.info.step == eval_step);
    CHECK(event.info.wall_time == saved[i]->wall_time);
    const auto& reductions = saved[i]->reductions;
    CHECK(event.tensor == tt::Tensor(reductions.empty() ? saved[i]->view : as_view(reductions[0])));
  }
  CHECK(end == events.size());
  CHECK(index.tensors[0].name == "fc1.weight");
  CHECK(index.tensors[6].name == "smdebug/reductions/abs_mean/fc1.weight");
  CHECK(index.tensors[7].name == "\xc3\xbc \"q\"");
}

TEST_CASE("an encoded step is the records of encode_event, one after the other", "[capture][step_encoder]") {
  SavedStep step({tt::Mode::train, 0, 0});
  std::string expected;
  for (std::int64_t i = 0; i < 300; ++i) {
    const std::string name = "tensor/" + std::string(static_cast<std::size_t>(i % 40) * 7, 'n') + std::to_string(i);
    std::vector<std::int32_t> elements(static_cast<std::size_t>(i % 50));
    std::iota(elements.begin(), elements.end(), 0);
    const auto view = tt::as_view(elements);
    step.raw(name, view, static_cast<double>(i));
    const auto record =
        encode_event({.tag = name, .step = step.records.step(), .wall_time = static_cast<double>(i)}, view);
    expected += record.head + std::string(tt::text_of(view.bytes())) + record.tail;
  }
  auto encoder = encoder_for(0);
  encoder.encode(step.records);
  CHECK(joined(encoder.events()) == expected);
}

TEST_CASE("elements are borrowed by the encoded step, not copied", "[capture][step_encoder]") {
  SavedStep step(eval_step);
  const std::vector<float> elements(1000, 1.0F);
  step.raw("w", tt::as_view(elements));
  auto encoder = encoder_for(0);
  encoder.encode(step.records);
  REQUIRE(encoder.events().size() == 3);
  CHECK(encoder.events()[1].data() == step.records.records()[0].view.bytes().data());
  CHECK(encoder.events()[1].size() == 4000);
}

TEST_CASE("without extras the index of an encoded step has no keys but smdebug's", "[capture][step_encoder]") {
  SavedStep step(eval_step);
  step.raw("w", tt::as_view(1.0F));
  auto encoder = encoder_for(std::nullopt);
  encoder.encode(step.records);
  CHECK(encoder.index() ==
        R"({"meta": {"mode": "EVAL", "mode_step": 21, "event_file_name": ")"
        R"(events/000000004200/000000004200_worker_0.tfevents"}, "tensor_payload": [{"tensorname": "w", )"
        R"("start_idx": 0, "length": )" +
            std::to_string(encoder.bytes()) + R"(}], "shape_payload": []})");
}

TEST_CASE("a step with only shapes has no events file", "[capture][step_encoder]") {
  SavedStep step(eval_step);
  step.shape("w", tt::as_view(std::vector<float>{1, 2}));
  auto encoder = encoder_for(1);
  encoder.encode(step.records);
  CHECK(encoder.event_key().empty());
  CHECK(encoder.bytes() == 0);
  CHECK(joined(encoder.events()).empty());
  const auto index = tt::parse_index(encoder.index(), "");
  CHECK(index.event_file.empty());
  CHECK(index.tensors.empty());
  CHECK(index.shapes.size() == 1);
  CHECK(index.attempt == 1);
}

TEST_CASE("an encoder keeps nothing of the step before", "[capture][step_encoder]") {
  SavedStep full(eval_step);
  full.raw("a", tt::as_view(1.0F));
  full.raw("b", tt::as_view(std::vector<double>(500, 2.0)));
  full.shape("c", tt::as_view(1.0F));
  SavedStep shapes({tt::Mode::train, 1, 2});
  shapes.shape("d", tt::as_view(1.0F));
  auto fresh = encoder_for(1);
  fresh.encode(full.records);
  auto used = encoder_for(1);
  for (int round = 0; round < 3; ++round) {
    used.encode(shapes.records);
    CHECK(used.event_key().empty());
    CHECK_THAT(used.index(), !contains("\"a\""));
    used.encode(full.records);
    CHECK(joined(used.events()) == joined(fresh.events()));
    CHECK(used.index() == fresh.index());
    CHECK(used.event_key() == fresh.event_key());
  }
}

TEST_CASE("the numbers of outputs are stripped from the names of reductions if asked for, as smdebug does",
          "[capture][step_encoder]") {
  const auto names = [](bool strip) {
    SavedStep step(eval_step);
    for (const std::string name : {"a:0", "a:0/b:12", ":0", "a:", "a:b", "a:1x", "a::2", "x:0:1", ""})
      step.reduction(name, R::min, 1.0);
    step.raw("raw:0", tt::as_view(1.0F));
    auto encoder = encoder_for(0, strip);
    encoder.encode(step.records);
    std::vector<std::string> out;
    for (const auto& tensor : tt::parse_index(encoder.index(), "").tensors)
      out.push_back(tensor.name.substr(tensor.name.rfind("/min/") == std::string::npos ? 0 : 23));
    return out;
  };
  CHECK(names(true) == std::vector<std::string>{"a", "a/b", "", "a:", "a:b", "ax", "a:", "x", "", "raw:0"});
  CHECK(names(false) ==
        std::vector<std::string>{"a:0", "a:0/b:12", ":0", "a:", "a:b", "a:1x", "a::2", "x:0:1", "", "raw:0"});
}
