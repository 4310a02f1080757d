#!/usr/bin/env python3
"""Proves that layers_test.py can fail: a tree that keeps every rule, then one broken rule at a time."""
import tempfile
import unittest
from pathlib import Path

import layers_test

GOOD = {
    "tensortap.hpp": ["tensortap/capture/hook.hpp", "tensortap/spot/managed_job.hpp", "tensortap/rules/rule.hpp"],
    "error.hpp": ["string"],
    "tensor/view.hpp": ["span", "tensortap/error.hpp"],
    "select/pattern.hpp": ["regex", "tensortap/error.hpp"],
    "reduce/reduce.hpp": ["immintrin.h", "tensortap/tensor/view.hpp"],
    "record/index.hpp": ["nlohmann/json.hpp", "tensortap/reduce/reduce.hpp", "tensortap/select/pattern.hpp"],
    "store/store.hpp": ["sys/stat.h", "tensortap/error.hpp"],
    "store/s3/s3_store.hpp": ["httplib.h", "openssl/evp.h", "tensortap/store/store.hpp"],
    "capture/state.hpp": ["tensortap/store/store.hpp"],
    "capture/hook.hpp": ["tensortap/capture/state.hpp", "tensortap/record/index.hpp"],
    "trial/trial.hpp": ["tensortap/record/index.hpp", "tensortap/store/store.hpp"],
    "rules/rule.hpp": ["tensortap/trial/trial.hpp"],
    "spot/managed_job.hpp": ["tensortap/capture/state.hpp"],
    "adapters/xtensor.hpp": ["xtensor/xarray.hpp", "tensortap/tensortap.hpp"],
}


def broken_rules(includes_of, text=""):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "tensortap"
        for name, includes in includes_of.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            lines = ["#pragma once", *(f"#include <{include}>" for include in includes)]
            path.write_text("\n".join(lines) + "\n" + text)
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
            ("rules/rule.hpp", "tensortap/tensor/view.hpp"),
            ("spot/managed_job.hpp", "tensortap/capture/hook.hpp"),
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
        self.breaks("trial/trial.hpp", "nlohmann/json.hpp", "must not include <nlohmann/json.hpp>")
        self.breaks("tensor/view.hpp", "Eigen/Dense", "must not include <Eigen/Dense>")
        self.breaks("store/s3/s3_store.hpp", "CLI/CLI.hpp", "must not include <CLI/CLI.hpp>")

    def test_a_missing_header_is_seen(self):
        self.breaks("capture/hook.hpp", "tensortap/capture/gone.hpp", "which does not exist")

    def test_names(self):
        for header in ["tensor/tensor_utils.hpp", "core/view.hpp", "detail/view.hpp", "tensor/helper.hpp"]:
            with self.subTest(header=header):
                self.breaks(header, "span", "says nothing")
        self.breaks("tensor/TensorView.hpp", "span", "is not snake_case")
        self.breaks("logging.hpp", "string", "not one of the base headers")
        self.breaks("network/socket.hpp", "span", "no such folder")

    def test_every_header_is_on_the_map(self):
        self.breaks("tensor/lost.hpp", "span", "tensor/lost.hpp: not reached from the umbrella")

    def test_length(self):
        found = broken_rules({"error.hpp": []}, text="//\n" * 500)
        self.assertIn("error.hpp: 501 lines, at most 500", found)

    def test_includes_in_comments_do_not_count(self):
        found = broken_rules(GOOD, text="// #include <torch/torch.h>\n/*\n#include <torch/torch.h>\n*/\n")
        self.assertEqual(found, [])


if __name__ == "__main__":
    unittest.main()
