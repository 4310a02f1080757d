#!/usr/bin/env python3
"""Proves that layers_test.py can fail: a tree that keeps every rule, then one broken rule at a time."""
import tempfile
import unittest
from pathlib import Path

import layers_test

GOOD = {
    "tensortap.hpp": ["tensortap/error.hpp", "tensortap/tensor/view.hpp", "tensortap/select/pattern.hpp",
                      "tensortap/reduce/reduce.hpp", "tensortap/record/index.hpp", "tensortap/store/store.hpp",
                      "tensortap/capture/state.hpp", "tensortap/capture/hook.hpp", "tensortap/trial/trial.hpp",
                      "tensortap/rules/rule.hpp", "tensortap/spot/managed_job.hpp"],
    "net.hpp": ["tensortap/tensortap.hpp", "tensortap/net/s3/s3_store.hpp"],
    "internal/config.hpp": [],
    "error.hpp": ["string"],
    "tensor/view.hpp": ["span", "tensortap/error.hpp"],
    "select/pattern.hpp": ["memory", "tensortap/error.hpp"],
    "select/internal/pattern_impl.hpp": ["regex", "tensortap/select/pattern.hpp"],
    "reduce/reduce.hpp": ["tensortap/tensor/view.hpp"],
    "reduce/internal/kernels.hpp": ["immintrin.h", "tensortap/tensor/view.hpp"],
    "record/index.hpp": ["tensortap/reduce/reduce.hpp", "tensortap/select/pattern.hpp"],
    "record/internal/json_text.hpp": ["nlohmann/json.hpp"],
    "store/store.hpp": ["sys/stat.h", "tensortap/error.hpp"],
    "net/s3/s3_store.hpp": ["tensortap/store/store.hpp"],
    "net/s3/internal/client.hpp": ["httplib.h", "openssl/evp.h", "tensortap/net/s3/s3_store.hpp"],
    "capture/state.hpp": ["tensortap/store/store.hpp"],
    "capture/hook.hpp": ["tensortap/capture/state.hpp", "tensortap/record/index.hpp"],
    "trial/trial.hpp": ["tensortap/record/index.hpp", "tensortap/store/store.hpp"],
    "rules/rule.hpp": ["tensortap/trial/trial.hpp"],
    "spot/managed_job.hpp": ["tensortap/capture/state.hpp"],
    "adapters/xtensor.hpp": ["xtensor/xarray.hpp", "tensortap/tensortap.hpp"],
}
TAIL = "\n#if TENSORTAP_WITH_BODIES\n#include <tensortap/{}.hpp>\n#endif\n"
BODIES = {"select/pattern.hpp": TAIL.format("select/internal/pattern_impl")}


def broken_rules(includes_of, text="", texts=None):
    """Of a tree of headers; `text` stands in each, `texts` in those it names."""
    texts = {**BODIES, **(texts or {})}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "tensortap"
        for name, includes in includes_of.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            lines = ["#pragma once", *(f"#include <{include}>" for include in includes)]
            path.write_text("\n".join(lines) + "\n" + text + texts.get(name, ""))
        return layers_test.broken_rules(root)


class LayersTest(unittest.TestCase):
    def breaks(self, header, include, expected):
        found = broken_rules({**GOOD, header: [*GOOD.get(header, []), include]})
        self.assertTrue(any(expected in line for line in found), f"{expected!r} not in {found}")

    def test_a_good_tree_has_no_broken_rule(self):
        self.assertEqual(broken_rules(GOOD), [])

    def test_every_folder_refuses_what_comes_after_it(self):
        for header, include in [
            ("error.hpp", "tensortap/tensor/view.hpp"),
            ("tensor/view.hpp", "tensortap/reduce/reduce.hpp"),
            ("select/pattern.hpp", "tensortap/tensor/view.hpp"),
            ("reduce/reduce.hpp", "tensortap/record/index.hpp"),
            ("record/index.hpp", "tensortap/store/store.hpp"),
            ("store/store.hpp", "tensortap/record/index.hpp"),
            ("capture/hook.hpp", "tensortap/trial/trial.hpp"),
            ("trial/trial.hpp", "tensortap/capture/hook.hpp"),
            ("rules/rule.hpp", "tensortap/capture/state.hpp"),
            ("spot/managed_job.hpp", "tensortap/capture/hook.hpp"),
            ("bytes/bytes.hpp", "tensortap/tensor/view.hpp"),
            ("tensor/view.hpp", "tensortap/tensortap.hpp"),
        ]:
            with self.subTest(header=header, include=include):
                self.breaks(header, include, f"{header}: must not include {include}")

    def test_the_network_and_the_adapters_stay_outside(self):
        self.breaks("capture/hook.hpp", "tensortap/net/s3/s3_store.hpp", "must not include tensortap/net/s3/s3_store.hpp")
        self.breaks("tensortap.hpp", "tensortap/net/s3/s3_store.hpp", "must not include tensortap/net/s3/s3_store.hpp")
        self.breaks("tensortap.hpp", "tensortap/adapters/xtensor.hpp", "must not include tensortap/adapters")
        self.breaks("capture/hook.hpp", "httplib.h", "must not include <httplib.h>")

    def test_other_libraries_only_where_they_belong(self):
        self.breaks("record/index.hpp", "nlohmann/json.hpp", "must not include <nlohmann/json.hpp>")
        self.breaks("tensor/view.hpp", "Eigen/Dense", "must not include <Eigen/Dense>")
        self.breaks("net/s3/internal/client.hpp", "CLI/CLI.hpp", "must not include <CLI/CLI.hpp>")
        self.breaks("net/s3/s3_store.hpp", "pugixml.hpp", "must not include <pugixml.hpp>")

    def test_doors_are_light(self):
        self.breaks("error.hpp", "regex", "capture/hook.hpp: a door that reaches <regex>")
        self.breaks("record/index.hpp", "tensortap/record/internal/json_text.hpp",
                    "capture/hook.hpp: a door that reaches <nlohmann/json.hpp>")
        self.breaks("reduce/reduce.hpp", "tensortap/reduce/internal/kernels.hpp", "a door that reaches the room")

    def test_every_header_is_a_door_or_a_room(self):
        self.breaks("tensor/lost.hpp", "span", "tensor/lost.hpp: neither a door")
        self.breaks("tensortap.hpp", "tensortap/reduce/internal/kernels.hpp", "a room that an umbrella lists")

    def test_names_in_rooms_are_in_detail(self):
        for inside, expected in [("namespace detail {\nint x;\n}  // namespace detail\n", False), ("int x;\n", True),
                                 ("namespace detail {\n}  // namespace detail\nint x;\n", True)]:
            text = f"TENSORTAP_BEGIN_NAMESPACE\n{inside}TENSORTAP_END_NAMESPACE\n"
            found = broken_rules(GOOD, texts={"reduce/internal/kernels.hpp": text})
            self.assertEqual(bool(found), expected, found)

    def test_bodies_belong_to_their_door(self):
        self.breaks("record/internal/other_impl.hpp", "span", "bodies that record/other.hpp does not include at its end")
        self.breaks("record/internal/json_text.hpp", "tensortap/select/internal/pattern_impl.hpp", "bodies that record/internal/json_text includes")
        found = broken_rules(GOOD, texts={"record/index.hpp": TAIL.format("select/internal/pattern_impl")})
        self.assertTrue(any("its bodies are in" in line for line in found), found)

    def test_bodies_that_need_a_later_door_are_seen(self):
        includes = {**GOOD, "store/open.hpp": ["tensortap/store/file.hpp"], "store/file.hpp": [],
                    "store/internal/file_impl.hpp": ["tensortap/store/file.hpp", "tensortap/store/open.hpp"],
                    "tensortap.hpp": [*GOOD["tensortap.hpp"], "tensortap/store/file.hpp", "tensortap/store/open.hpp"]}
        found = broken_rules(includes, texts={"store/file.hpp": TAIL.format("store/internal/file_impl")})
        self.assertIn("store/open.hpp: store/internal/file_impl includes store/open, which is half read", found)

    def test_a_circle_is_seen(self):
        self.breaks("store/store.hpp", "tensortap/store/file.hpp", "which does not exist")
        found = broken_rules({**GOOD, "store/store.hpp": ["tensortap/store/file.hpp"], "store/file.hpp": ["tensortap/store/store.hpp"]})
        self.assertTrue(any(line.startswith("a circle: ") for line in found), found)

    def test_a_missing_header_is_seen(self):
        self.breaks("capture/hook.hpp", "tensortap/capture/gone.hpp", "which does not exist")

    def test_names(self):
        for header in ["tensor/tensor_utils.hpp", "core/view.hpp", "detail/view.hpp", "tensor/helper.hpp"]:
            with self.subTest(header=header):
                self.breaks(header, "span", "says nothing")
        self.breaks("tensor/TensorView.hpp", "span", "is not snake_case")
        self.breaks("logging.hpp", "string", "not one of the base headers")
        self.breaks("network/socket.hpp", "span", "no such folder")

    def test_length(self):
        found = broken_rules({"error.hpp": []}, text="//\n" * 450)
        self.assertIn("error.hpp: 451 lines, at most 450", found)

    def test_includes_in_comments_do_not_count(self):
        found = broken_rules(GOOD, text="// #include <torch/torch.h>\n/*\n#include <torch/torch.h>\n*/\n")
        self.assertEqual(found, [])


if __name__ == "__main__":
    unittest.main()
