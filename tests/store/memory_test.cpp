#include <tensortap/store/memory.hpp>

#include <memory>

#include "catch.hpp"
#include "store/conformance.hpp"

TEST_CASE("a store in memory does what every store must", "[store][memory]") {
  conformance::check_store([] { return std::make_shared<tensortap::MemoryStore>(); });
}
