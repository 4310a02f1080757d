#include <tensortap/capture/internal/attempt_fence.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <tensortap/error.hpp>
#include <tensortap/record/attempt.hpp>
#include <tensortap/record/layout.hpp>

#include "catch.hpp"
#include "forwarding_store.hpp"

using namespace tensortap;

namespace {

/// A store behind a gateway that says that every object exists.
class Gateway final : public ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  [[nodiscard]] std::optional<std::uint64_t> size(std::string_view) const override { return 48; }
};

}  // namespace

TEST_CASE("a successor is believed only when its object is read", "[capture][attempt_fence]") {
  Gateway store;
  const std::string key = layout::attempt_key(4, "worker_0");
  detail::AttemptFence fence(store, "worker_0", 3);
  CHECK_NOTHROW(fence.require_no_successor());  // there is no such object
  store.put(key, "<html>log in</html>");
  CHECK_NOTHROW(fence.require_no_successor());
  store.put(key, to_json({.number = 4, .worker = "worker_1"}));
  CHECK_NOTHROW(fence.require_no_successor());
  CHECK_FALSE(fence.is_raised());
  store.put(key, to_json({.number = 4, .worker = "worker_0"}));
  CHECK_THROWS_WITH(fence.require_no_successor(), contains("4"));
  CHECK(fence.is_raised());
}
