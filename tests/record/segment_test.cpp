#include <tensortap/record/internal/segment.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "catch.hpp"

namespace tt = tensortap;
namespace layout = tensortap::layout;
using tensortap::detail::SegmentHeader;
using tensortap::detail::SegmentManifest;

namespace {

const layout::SegmentName two_steps{.worker = "worker_0", .attempt = 1, .first = 4, .last = 5};
const std::string key = layout::segment_key(two_steps);

std::string whole_segment() {
  tt::detail::SegmentWriter writer(two_steps);
  for (const std::int64_t step : {4, 5}) writer.add(layout::index_key(step, "worker_0"), tt::bytes_of("index"));
  for (const std::int64_t step : {4, 5}) writer.add(layout::event_key(step, "worker_0"), tt::bytes_of("the events"));
  std::string out;
  for (const tt::Bytes piece : writer.finish()) out += tt::text_of(piece);
  CHECK(out.size() == writer.size());
  return out;
}

SegmentManifest read(const std::string& segment, const std::string& under = key) {
  return tt::detail::read_segment_manifest(
             under, segment.size(),
             [&](std::uint64_t start, std::uint64_t length) -> std::optional<std::vector<std::byte>> {
               const tt::Bytes bytes = tt::bytes_of(segment).subspan(std::min<std::uint64_t>(start, segment.size()));
               const tt::Bytes part = bytes.first(std::min<std::uint64_t>(length, bytes.size()));
               return std::vector<std::byte>(part.begin(), part.end());
             })
      .value();
}

/// Returns the cause for which `segment` is refused; empty if it is not.
std::string refusal(const std::string& segment, const std::string& under = key) {
  try {
    (void)read(segment, under);
    return {};
  } catch (const tt::Error& e) {
    CHECK(e.code() == tt::Errc::damaged);
    return e.what();
  }
}

/// Returns a segment with these lines as its manifest, and `size` bytes behind it.
std::string segment_of(const std::string& lines, std::size_t size) {
  const std::string manifest = key + "\n" + lines;
  const std::uint32_t crc = tt::crc32c(tt::bytes_of(manifest));
  std::string hex;
  for (int shift = 28; shift >= 0; shift -= 4) hex += "0123456789abcdef"[(crc >> static_cast<unsigned>(shift)) & 15u];
  return std::string(SegmentHeader::magic) + layout::padded(static_cast<std::int64_t>(manifest.size()), 10) + " " +
         hex + "\n" + manifest + std::string(size, 'x');
}

const std::string index_4 = layout::index_key(4, "worker_0"), index_5 = layout::index_key(5, "worker_0"),
                  events_4 = layout::event_key(4, "worker_0");

}  // namespace

TEST_CASE("the key of a segment tells its worker, attempt and steps", "[record][segment]") {
  CHECK(key == "index/packed/worker_0/000000001_000000000004-000000000005.pack");
  CHECK(layout::parse_segment_key(key) == two_steps);
  for (const char* other :
       {"index/packed/worker_0/000000001_000000000005-000000000004.pack", "index/packed/worker_0/1_4-5.pack",
        "index/packed/worker_0/000000001_000000000004-000000000005.pack.tmp",
        "index/packed/worker_0/-00000001_000000000004-000000000005.pack", "index/packed/worker_0/", "index/packed/",
        "index/packed/worker_0/a/000000001_000000000004-000000000005.pack",
        "index/000000000/000000000004_worker_0.json",
        "index/packed/worker_0/000000001_000000000004-99999999999999999999.pack"}) {
    CAPTURE(other);
    CHECK_FALSE(layout::parse_segment_key(other));
  }
}

TEST_CASE("a segment holds files byte for byte", "[record][segment]") {
  const std::string segment = whole_segment();
  const SegmentManifest manifest = read(segment);
  CHECK(manifest.name == two_steps);
  REQUIRE(manifest.entries.size() == 4);
  CHECK(manifest.entries[1].key == index_5);
  CHECK(manifest.entries[1].is_index);
  CHECK(manifest.entries[2].key == events_4);
  CHECK(segment.substr(manifest.entries[2].start, manifest.entries[2].size) == "the events");
  CHECK(manifest.entries[2].crc32c == tt::crc32c(tt::bytes_of("the events")));
}

TEST_CASE("a segment without its end, or with a changed bit in its manifest, is refused", "[record][segment]") {
  const std::string segment = whole_segment();
  const std::size_t data = read(segment).entries[0].start;
  for (std::size_t size = 0; size < segment.size(); ++size) CHECK_FALSE(refusal(segment.substr(0, size)).empty());
  CHECK_FALSE(refusal(segment + "x").empty());
  for (std::size_t i = 0; i < data; ++i)
    for (const int bit : {0, 3, 5}) {
      std::string changed = segment;
      changed[i] = static_cast<char>(changed[i] ^ (1 << bit));
      CAPTURE(i, bit);
      const bool is_case_of_hex = i >= SegmentHeader::magic.size() + 11 && i < SegmentHeader::size - 1 && bit == 5;
      CHECK((is_case_of_hex || !refusal(changed).empty()));
    }
  CHECK(refusal(segment, layout::segment_key({"worker_1", 1, 4, 5})).find("another segment") != std::string::npos);
}

TEST_CASE("a hostile manifest is refused, with its line", "[record][segment]") {
  struct Case {
    std::string lines;
    std::size_t size;
    std::string cause;
  };
  const std::string both = "0 5 0 " + index_4 + "\n5 5 0 " + index_5 + "\n";
  CHECK(refusal(segment_of(both, 10)).empty());
  for (const Case& one : std::vector<Case>{
           {both, 11, "its files end at"},
           {both, 9, "line 3: a file ends beyond the segment"},
           {"0 5 0 " + index_4 + "\n4 5 0 " + index_5 + "\n", 9, "line 3: a file begins at 4"},
           {"0 5 0 " + index_4 + "\n18446744073709551615 5 0 " + index_5 + "\n", 9, "begins at 18446744073709551615"},
           {"0 18446744073709551615 0 " + index_4 + "\n", 9, "line 2: a file ends beyond"},
           {"0 5 0 " + index_4 + "\n5 18446744073709551610 0 " + index_5 + "\n", 10, "line 3: a file ends beyond"},
           {"0 5 0 " + index_4 + "\n5 5 0 " + index_4 + "\n", 10, "is there twice"},
           {"0 5 0 " + index_5 + "\n5 5 0 " + index_4 + "\n", 10, "not ascending"},
           {"0 5 0 " + index_4 + "\n", 5, "not those of its name"},
           {"", 0, "not those of its name"},
           {"0 5 0 " + events_4 + "\n5 5 0 " + index_4 + "\n", 10, "an index lies behind events"},
           {both + "10 0 0 " + layout::event_key(6, "worker_0") + "\n", 10, "outside of the segment"},
           {both + "10 0 0 " + layout::event_key(4, "worker_1") + "\n", 10, "no file of a step of this worker"},
           {both + "10 0 0 ../../etc/passwd\n", 10, "no file of a step of this worker"},
           {both + "10 0 0 events/../../000000000004_worker_0.tfevents\n", 10, "no file of a step of this worker"},
           {both + "10 0 0 /events/000000000004/000000000004_worker_0.tfevents\n", 10, "no file of a step"},
           {both + "10 0 0 training_job_end.ts\n", 10, "no file of a step of this worker"},
           {both + "10 0 0 \n", 10, "no file of a step of this worker"},
           {both + "10 0 " + events_4 + "\n", 10, "it is not \"START SIZE CRC32C KEY\""},
           {both + "+10 0 0 " + events_4 + "\n", 10, "it is not \"START SIZE CRC32C KEY\""},
           {both + "10 0 100000000 " + events_4 + "\n", 10, "it is not \"START SIZE CRC32C KEY\""},
           {both + "10 0 0 " + events_4, 10, "a line without an end"},
       }) {
    CAPTURE(one.lines);
    CHECK_THAT(refusal(segment_of(one.lines, one.size)), contains(one.cause));
  }
}

TEST_CASE("a manifest that claims to be huge is not read", "[record][segment]") {
  const std::string segment = std::string(SegmentHeader::magic) + "9999999999 00000000\n";
  CHECK_THAT(refusal(segment), contains("too large (9999999999 bytes"));
  CHECK_THAT(refusal(std::string(SegmentHeader::magic) + "0016777216 00000000\n"), contains("it ends in its manifest"));
}
