// Reading a run at every moment of its interruptions and resumptions: the steps are always a prefix of those that
// count, and at the end every step appears once.
#include <tensortap/trial/trial.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "capture/forwarding_store.hpp"
#include "catch.hpp"
#include "store/temporary_directory.hpp"
#include "trial/hand_writer.hpp"
#include "trial/steps.hpp"

namespace tt = tensortap;

namespace {

using Operations = HandWriter::Operations;

/// Returns the attempt that wrote each step of `trial`, according to the index.
std::map<std::int64_t, std::int64_t> attempts_by_step(const tt::Trial& trial) {
  std::map<std::int64_t, std::int64_t> out;
  for (const auto& tensor : trial.tensors({.include_regex = "^attempt_"}))
    for (const std::int64_t step : tensor.steps()) {
      INFO("step " << step << " appears twice");
      CHECK(out.emplace(step, std::stoll(tensor.name().substr(8))).second);
    }
  return out;
}

/// Checks that `trial` shows the multiples of `stride` up to some n, each written by an attempt that counts. Returns n.
std::int64_t check_prefix(const tt::Trial& trial, std::int64_t stride = 1) {
  const auto pause = trial.no_refresh();
  const Steps steps = trial.steps();
  for (std::size_t i = 0; i < steps.size(); ++i) CHECK(steps[i] == static_cast<std::int64_t>(i) * stride);
  std::map<std::int64_t, std::int64_t> resumed_at;
  for (const tt::Attempt& attempt : trial.attempts()) resumed_at[attempt.number] = attempt.resumed_at;
  const auto attempts = attempts_by_step(trial);
  CHECK(attempts.size() == steps.size());
  for (const auto& [step, run] : attempts)
    for (auto later = resumed_at.upper_bound(run); later != resumed_at.end(); ++later) CHECK(later->second >= step);
  for (const auto& [step, run] : attempts)
    if (const auto loss = trial.tensor("loss").value(step)) CHECK(loss->number(0) == HandWriter::loss_of(run, step));
  CHECK(trial.damage().empty());
  return static_cast<std::int64_t>(steps.size()) - 1;
}

/// Checks that `trial` shows the multiples of `stride` below the size of `expected`, which holds the attempt of each
/// step.
void check_all(const tt::Trial& trial, const Steps& expected, std::int64_t stride = 1) {
  const auto attempts = attempts_by_step(trial);
  CHECK(trial.steps().size() ==
        (expected.size() + static_cast<std::size_t>(stride) - 1) / static_cast<std::size_t>(stride));
  CHECK(check_prefix(trial, stride) == static_cast<std::int64_t>(trial.steps().size()) - 1);
  for (std::size_t i = 0; i < expected.size(); i += static_cast<std::size_t>(stride)) {
    const auto step = static_cast<std::int64_t>(i);
    REQUIRE(attempts.contains(step));
    CHECK(attempts.at(step) == expected[i]);
    CHECK(trial.tensor("loss").value(step)->number(0) == HandWriter::loss_of(expected[i], step));
  }
}

/// Attempt 0 saves steps 0 to 5 and dies. Attempt 1 resumes after step 2 and saves up to step 7.
Operations interrupted_once(const std::shared_ptr<tt::Store>& store, tt::OnResume how) {
  const HandWriter first(store, 0);
  const HandWriter second(store, 1);
  return Operations{[=] { first.put_attempt(-1); }, [=] { first.put_collections(); }} + first.saving(0, 5) +
         second.resuming(2, 5, how) + Operations{[=] { second.put_collections(); }} + second.saving(3, 7) +
         Operations{[=] { second.close(); }};
}

const Steps interrupted_once_ends = {0, 0, 0, 1, 1, 1, 1, 1};

/// A store in which time passes during a listing, so that it shows half of the keys before an operation and half after.
class RacyStore : public ForwardingStore {
 public:
  using Store::get;

  explicit RacyStore(std::shared_ptr<Store> to, std::size_t concurrency)
      : ForwardingStore(std::move(to)), concurrency_(concurrency) {}

  std::vector<tt::ObjectInfo> list(std::string_view prefix, std::string_view after) const override {
    std::map<std::string, std::uint64_t> seen;
    const auto look = [&](std::size_t half) {
      for (const auto& object : ForwardingStore::list(prefix, after))
        if (std::hash<std::string>{}(object.key + salt) % 2 == half) seen[object.key] = object.size;
    };
    look(0);
    pass();
    look(1);
    std::vector<tt::ObjectInfo> out;
    for (const auto& [key, size] : seen) out.push_back({key, size});
    return out;
  }
  std::optional<std::vector<std::byte>> get(std::string_view key, tt::Range range) const override {
    pass();
    return ForwardingStore::get(key, range);
  }
  std::size_t concurrency() const noexcept override { return concurrency_; }

  std::function<void()> meanwhile;
  std::string salt;

 private:
  void pass() const {
    const std::lock_guard lock(mutex_);
    if (meanwhile) meanwhile();
  }

  std::size_t concurrency_;
  mutable std::mutex mutex_;
};

}  // namespace

TEST_CASE("every refresh during a rewind shows a prefix", "[trial][rewind]") {
  FakeTime time;
  for (const auto how : {tt::OnResume::archive, tt::OnResume::discard, tt::OnResume::keep}) {
    CAPTURE(static_cast<int>(how));
    const auto store = std::make_shared<tt::MemoryStore>();
    const auto next = one_by_one(interrupted_once(store, how));
    REQUIRE(next());
    const tt::Trial trial(store, time.following());
    std::int64_t before = -1;
    std::size_t fell = 0;
    do {
      trial.refresh();
      const std::int64_t last = check_prefix(trial);
      if (last < before) ++fell;
      before = last;
      check_prefix(tt::Trial(store));  // a new trial sees a prefix, too
    } while (next());
    CHECK(fell == 1);
    CHECK(trial.ended());
    check_all(trial, interrupted_once_ends);
    check_all(tt::Trial(store), interrupted_once_ends);
    std::uint64_t size = 0;
    for (const std::int64_t step : trial.steps())
      for (const tt::TensorLocation& location :
           tt::parse_index(tt::text_of(*store->get(HandWriter(store, 0).index_key(step))), "").tensors)
        if (location.name == "loss") size += location.length;
    CHECK(size > 0);
    CHECK(trial.tensor("loss").stored_bytes() == size);
    REQUIRE(trial.rewinds().size() == 1);
    const tt::Rewind rewind = trial.rewinds()[0];
    CHECK(rewind.worker == "worker_0");
    CHECK(rewind.attempt == 1);
    CHECK(rewind.resumed_at == 2);
    CHECK(rewind.steps == Steps{3, 4, 5});
  }
}

TEST_CASE("a rewind between any two refreshes is followed", "[trial][rewind]") {
  FakeTime time;
  const std::size_t count = interrupted_once(nullptr, tt::OnResume::archive).size();
  for (std::size_t first = 3; first < count; ++first)
    for (std::size_t second = first; second <= count; second += 3) {
      CAPTURE(first, second);
      const auto store = std::make_shared<tt::MemoryStore>();
      const auto operations = interrupted_once(store, tt::OnResume::archive);
      for (std::size_t i = 0; i < first; ++i) operations[i]();
      const tt::Trial trial(store, time.following());
      check_prefix(trial);
      for (std::size_t i = first; i < second; ++i) operations[i]();
      trial.refresh();
      check_prefix(trial);
      for (std::size_t i = second; i < count; ++i) operations[i]();
      trial.refresh();
      check_all(trial, interrupted_once_ends);
    }
}

TEST_CASE("a rewind in a directory is followed", "[trial][rewind]") {
  const TemporaryDirectory directory;
  FakeTime time;
  const auto store = std::make_shared<tt::FileStore>((directory / "run").string());
  const auto next = one_by_one(interrupted_once(store, tt::OnResume::archive));
  REQUIRE(next());
  const tt::Trial trial((directory / "run").string(), time.following());
  do check_prefix(trial);
  while (next());
  check_all(trial, interrupted_once_ends);
}

TEST_CASE("a refresh reports a rewind", "[trial][rewind]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  const HandWriter first(store, 0);
  first.put_attempt(-1);
  first.put_collections();
  for (const std::int64_t step : {0, 1, 2, 3}) first.put(step);
  const tt::Trial trial(store);
  CHECK(trial.refresh().empty());
  CHECK(trial.attempts().size() == 1);
  const auto third = trial.tensor("loss");

  const HandWriter second(store, 1);
  for (const auto& operation : second.resuming(1, 3, tt::OnResume::archive)) operation();
  second.put(2);
  CHECK(trial.steps() == Steps{0, 1, 2, 3});   // a snapshot shows them until it is refreshed;
  CHECK_FALSE(trial.tensor("loss").value(3));  // moved steps read as absent,
  CHECK(trial.damage().empty());               // without damage
  const tt::Changes changes = trial.refresh();
  CHECK(changes.steps == Steps{2});
  REQUIRE(changes.rewinds.size() == 1);
  CHECK(changes.rewinds[0].steps == Steps{2, 3});
  CHECK_FALSE(changes.ended);
  CHECK(trial.attempts().size() == 2);
  CHECK(trial.rewinds().size() == 1);
  CHECK(third.steps() == Steps{0, 1, 2});
  CHECK(third.value(2)->number(0) == HandWriter::loss_of(1, 2));
  CHECK(trial.refresh().empty());
  CHECK(tt::Trial(store).rewinds().empty());  // a later trial has seen no rewind
}

TEST_CASE("a new attempt without superseded steps is reported, the first attempt is not", "[trial][rewind]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  const HandWriter first(store, 0);
  first.put_collections();
  const tt::Trial trial(store);
  first.put_attempt(-1);
  first.put(0);
  CHECK(trial.refresh().rewinds.empty());
  HandWriter(store, 1).put_attempt(0);
  const auto rewinds = trial.refresh().rewinds;
  REQUIRE(rewinds.size() == 1);
  CHECK(rewinds[0].attempt == 1);
  CHECK(rewinds[0].steps.empty());
  CHECK(trial.steps() == Steps{0});
}

TEST_CASE("the next attempt completes an interrupted rewind", "[trial][rewind]") {
  FakeTime time;
  const auto store = std::make_shared<tt::MemoryStore>();
  const HandWriter first(store, 0);
  const HandWriter second(store, 1);
  const HandWriter third(store, 2);
  const auto rewind = second.resuming(2, 9, tt::OnResume::archive);
  for (std::size_t died = 1; died < rewind.size(); ++died) {
    CAPTURE(died);
    for (const auto& object : store->list("")) store->remove(object.key);
    const auto next =
        one_by_one(Operations{[=] { first.put_attempt(-1); }, [=] { first.put_collections(); }} + first.saving(0, 9) +
                   Operations(rewind.begin(), rewind.begin() + static_cast<std::ptrdiff_t>(died)) +
                   third.resuming(2, 9, tt::OnResume::archive) + third.saving(3, 10));
    REQUIRE(next());
    const tt::Trial trial(store, time.following());
    do check_prefix(trial);
    while (next());
    check_all(trial, {0, 0, 0, 2, 2, 2, 2, 2, 2, 2, 2});
    CHECK(trial.rewinds().size() == 2);
  }
}

TEST_CASE("late writes of a superseded attempt neither appear nor hide the new steps", "[trial][rewind]") {
  FakeTime time;
  const auto store = std::make_shared<tt::MemoryStore>();
  const HandWriter first(store, 0);
  const HandWriter second(store, 1);
  first.put_attempt(-1);
  first.put_collections();
  for (const std::int64_t step : {0, 1, 2}) first.put(step);
  const tt::Trial trial(store, time.following());
  second.put_attempt(1);
  CHECK(trial.steps() == Steps{0, 1});
  for (const std::int64_t step : {2, 3, 4, 5, 9}) {
    first.put(step);
    CHECK(trial.steps() == Steps{0, 1});
  }
  CHECK(trial.tensor("attempt_0").steps() == Steps{0, 1});
  CHECK(tt::Trial(store).steps() == Steps{0, 1});
  for (const std::int64_t step : {2, 3, 4, 5, 6}) {
    second.put(step);  // replaces the file of the first attempt
    CHECK(trial.steps() == up_to(step));
    CHECK(trial.tensor("loss").value(step)->number(0) == HandWriter::loss_of(1, step));
    CHECK(tt::Trial(store).steps() == up_to(step));
  }
  first.put_index(4, tt::IfExists::keep);  // the store keeps the other file
  second.close();
  CHECK(trial.ended());
  CHECK(trial.steps() == up_to(6));
  CHECK(trial.damage().empty());
}

TEST_CASE("hundreds of superseded steps are skipped, and found when they are replaced", "[trial][rewind]") {
  FakeTime time;
  const auto store = std::make_shared<tt::MemoryStore>();
  const HandWriter first(store, 0);
  const HandWriter second(store, 1);
  first.put_attempt(-1);
  first.put_collections();
  for (std::int64_t step = 0; step < 300; ++step) first.put(step);
  second.put_attempt(9);
  const tt::Trial trial(store, time.following());
  CHECK(trial.steps() == up_to(9));
  for (const std::int64_t step : {10, 11, 12}) second.put(step);
  CHECK(trial.steps() == up_to(12));
  SECTION("step by step") {
    for (std::int64_t step = 13; step < 300; step += 7) {
      for (std::int64_t s = step; s < step + 7; ++s) second.put(s);
      CHECK(trial.steps() == up_to(step + 6));
    }
    CHECK(trial.steps() == up_to(299));
  }
  SECTION("far away, and then the end") {
    second.put(299);
    second.close();
    CHECK(trial.ended());
    CHECK(trial.steps().size() == 14);
    CHECK(trial.steps().back() == 299);
  }
}

TEST_CASE("steps without an attempt count while they exist", "[trial][rewind]") {
  FakeTime time;
  const auto store = std::make_shared<tt::MemoryStore>();
  const HandWriter smdebug(store);
  smdebug.put_collections();
  for (const std::int64_t step : {0, 1, 2, 3, 4}) smdebug.put(step);
  const tt::Trial trial(store, time.following());
  CHECK(trial.steps() == up_to(4));
  const tt::Trial snapshot(store);
  const HandWriter attempt(store, 1);
  HandWriter::Operations resuming = attempt.resuming(1, 4, tt::OnResume::archive);
  resuming[0]();
  CHECK(trial.steps() == up_to(4));  // no file tells that they will be moved
  for (const std::int64_t last : {3, 2, 1}) {
    resuming[static_cast<std::size_t>(4 - last)]();
    CHECK(trial.steps() == up_to(last));
    CHECK(tt::Trial(store).steps() == up_to(last));
  }
  CHECK(trial.rewinds().back().steps == Steps{2});
  for (std::size_t i = 4; i < resuming.size(); ++i) resuming[i]();
  CHECK_FALSE(snapshot.tensor("loss").value(4));
  CHECK(snapshot.damage().empty());
  for (const std::int64_t step : {2, 3, 4}) {
    smdebug.put({tt::Mode::eval, step, step}, {});
    CHECK(trial.steps() == up_to(step));
    CHECK(trial.step(step)->mode == tt::Mode::eval);
  }
  CHECK(trial.damage().empty());
}

TEST_CASE("workers rewind one after the other", "[trial][rewind]") {
  FakeTime time;
  const auto store = std::make_shared<tt::MemoryStore>();
  std::vector<HandWriter> first;
  std::vector<HandWriter> second;
  for (const std::string worker : {"worker_0", "worker_1", "my/rank:2"}) {
    first.emplace_back(store, 0, worker);
    second.emplace_back(store, 1, worker);
  }
  for (const auto& writer : first) {
    writer.put_attempt(-1);
    writer.put_collections(3);
  }
  for (const std::int64_t step : {0, 1, 2, 3, 4})
    for (const auto& writer : first) writer.put(step);
  const tt::Trial trial(store, time.following());
  CHECK(trial.steps() == up_to(4));
  for (const auto& writer : second) {
    writer.put_attempt(2);
    CHECK(trial.steps() == up_to(2));
  }
  CHECK(trial.steps(tt::Mode::global, tt::Completeness::any) == up_to(2));
  CHECK(trial.rewinds().size() == 3);
  for (const std::int64_t step : {3, 4})
    for (const auto& writer : second) {
      CHECK(trial.steps() == up_to(step - 1));
      writer.put(step);
    }
  CHECK(trial.steps() == up_to(4));
  CHECK(trial.tensor("attempt_1").steps() == Steps{3, 4});
  CHECK(trial.tensor("attempt_0").steps() == up_to(2));
}

TEST_CASE("the end marker of a resumed attempt does not count", "[trial][rewind]") {
  FakeTime time;
  const auto store = std::make_shared<tt::MemoryStore>();
  const HandWriter first(store, 0);
  first.put_attempt(-1);
  first.put_collections();
  first.put(0);
  first.close();
  const tt::Trial trial(store, time.following());
  CHECK(trial.ended());
  HandWriter(store, 1).put_attempt(0);
  CHECK_FALSE(trial.ended());
  CHECK_FALSE(tt::Trial(store).ended());
  SECTION("until the successor's") {
    HandWriter(store, 1).close();
    CHECK(trial.ended());
  }
  SECTION("but one that is empty counts") {
    store->put(tt::layout::end_marker, "");
    CHECK(trial.ended());
    CHECK(tt::Trial(store).ended());
  }
}

TEST_CASE("a snapshot ignores an unreadable attempt, a followed run waits for it", "[trial][rewind]") {
  FakeTime time;
  const auto store = std::make_shared<tt::MemoryStore>();
  const HandWriter first(store, 0);
  const HandWriter second(store, 1);
  first.put_attempt(-1);
  first.put_collections();
  for (const std::int64_t step : {0, 1, 2}) first.put(step);
  const tt::Trial trial(store, time.following());
  store->put(tt::layout::attempt_key(1, "worker_0"), "{");
  second.put(3);
  CHECK(trial.steps() == up_to(2));
  CHECK(trial.damage().size() == 1);
  CHECK(tt::Trial(store).steps() == up_to(3));
  second.put_attempt(1);
  second.put(2);
  CHECK(trial.steps() == up_to(3));
  CHECK(trial.tensor("attempt_1").steps() == Steps{2, 3});
  CHECK(trial.damage().empty());
}

TEST_CASE("readers see a prefix while writers, late writers and listings race", "[trial][rewind]") {
  FakeTime time;
  const std::size_t concurrency = GENERATE(1u, 4u);
  for (unsigned seed = 0; seed < 400; ++seed) {
    CAPTURE(seed, concurrency);
    std::mt19937 random(seed);
    const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
    const auto memory = std::make_shared<tt::MemoryStore>();
    const auto store = std::make_shared<RacyStore>(memory, concurrency);
    store->salt = std::to_string(seed);

    // Three attempts. Each may still write when its successors have begun.
    const auto mixed = [&](const Operations& a, const Operations& b) {
      Operations out;
      for (std::size_t i = 0, j = 0; i < a.size() || j < b.size();)
        out.push_back(j == b.size() || (i < a.size() && below(2) == 0) ? a[i++] : b[j++]);
      return out;
    };
    const auto how = static_cast<tt::OnResume>(below(3));
    const auto stride = static_cast<std::int64_t>(1 + below(3));
    const HandWriter first(memory, 0);
    Operations all = {[=] { first.put_collections(); }};
    Operations late;
    Steps expected;
    std::size_t last = 0;
    for (std::int64_t run = 0; run < 3; ++run) {
      const HandWriter writer(memory, run);
      const auto resumed_at = static_cast<std::int64_t>(run == 0 ? 0 : below(expected.size() + 1)) - 1;
      const auto to = resumed_at + 1 + static_cast<std::int64_t>(below(12));
      const auto begin = writer.resuming(resumed_at, static_cast<std::int64_t>(last), how);
      all.push_back(begin[0]);
      all = all + mixed(Operations(begin.begin() + 1, begin.end()) +
                            writer.saving(resumed_at + 1, to, tt::IfExists::replace, stride),
                        late);
      late = writer.saving(to + 1, to + 6, tt::IfExists::keep, stride);
      last = std::max(last, static_cast<std::size_t>(to + 6));
      expected.resize(static_cast<std::size_t>(resumed_at + 1));
      expected.resize(static_cast<std::size_t>(to + 1), run);
    }
    auto next = one_by_one(all);
    next();
    bool writing = true;
    store->meanwhile = [&] {
      for (std::size_t n = below(4); n > 0; --n) writing = next();
    };
    {
      const tt::Trial trial(store, time.following());
      while (writing) {
        trial.refresh();
        check_prefix(trial, stride);
        if (below(4) == 0) check_prefix(tt::Trial(store), stride);
      }
      trial.refresh();
      check_all(trial, expected, stride);
    }
    check_all(tt::Trial(store), expected, stride);
  }
}
