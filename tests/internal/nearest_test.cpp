#include <tensortap/internal/nearest.hpp>

#include <string>
#include <vector>

#include "catch.hpp"

using tensortap::detail::nearest;
using tensortap::detail::typing_distance;

TEST_CASE("a typing distance counts letters added, removed, replaced and exchanged", "[base][nearest]") {
  CHECK(typing_distance("loss", "loss") == 0);
  CHECK(typing_distance("los", "loss") == 1);
  CHECK(typing_distance("lloss", "loss") == 1);
  CHECK(typing_distance("lass", "loss") == 1);
  CHECK(typing_distance("olss", "loss") == 1);
  CHECK(typing_distance("", "loss") == 4);
}

TEST_CASE("the name that was probably meant differs in few letters or contains the text", "[base][nearest]") {
  const std::vector<std::string> names = {"gradients", "losses", "fc1.weight"};
  CHECK(nearest("gradient", names) == "gradients");
  CHECK(nearest("LOSSES", names) == "losses");
  CHECK(nearest("fc1.wieght", names) == "fc1.weight");
  CHECK(nearest("weight", names) == "fc1.weight");
  CHECK(nearest("nothing", names).empty());
  CHECK(nearest("", names).empty());
  CHECK(nearest("we", names).empty());
  CHECK(nearest("loss", {}).empty());
}
