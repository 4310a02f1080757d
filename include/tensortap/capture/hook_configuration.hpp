// The configuration of a hook from outside the program: JSON in the form of SageMaker Debugger's debughookconfig.json,
// found by the environment variables of a training job. The page of this folder has a table of its keys.
//
//   tensortap::HookConfiguration configuration = tensortap::HookConfiguration::from_environment();
//   configuration.options.num_workers = 2;
//   tensortap::Hook hook(configuration.out_dir, configuration.options);
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/capture/hook_options.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/select/collection.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Which processes of a distributed training write.
enum class IncludeWorkers : std::uint8_t {
  one,  ///< the first one
  all,  ///< each
};

/// What a configuration says.
struct HookConfiguration {
  /// Returns the value of an environment variable; null if it is not set.
  using Variable = std::function<const char*(const char* name)>;

  std::string out_dir = "/opt/ml/output/tensors";  ///< the run: a directory, or s3://BUCKET/PREFIX
  /// What is saved: `collections` and `save`; and how: `budget`, `pack` and the other options that have a key of their
  /// own. From an environment also `enabled`, `worker`, `num_workers`, `checkpoint_dir`, and the hyperparameters among
  /// the `facts`.
  HookOptions options = {};
  std::vector<std::string> said = {};  ///< keys of options that count although their values are the defaults
  /// The parts that are saved of collections that say nothing of parts.
  Collection parts = {};
  IncludeWorkers include_workers = IncludeWorkers::one;
  std::vector<Collection> not_saved = {};  ///< collections that are only described
  std::vector<std::string> warnings = {};  ///< keys that are not known, and others that have no effect

  /// Reads `text`, JSON that begins with {, or the file of this name. Throws: the file cannot be read; it is not such
  /// JSON; a value of the wrong kind. The message names the file, the line and the key.
  static HookConfiguration from_json(std::string_view path_or_text);

  /// Reads the file that the environment names: SMDEBUG_CONFIG_FILE_PATH, else input/config/debughookconfig.json below
  /// SAGEMAKER_BASE_DIR or /opt/ml. If there is none, or USE_SMDEBUG is 0 or false, `options.enabled` is false, and the
  /// first warning says why. With TENSORTAP_JOB_ATTEMPT, which 'tensortap train' sets, `start_over` and `resume_ended`
  /// are set: an attempt may end at any moment. Takes the name of this process and the number of them from its
  /// launcher: Open MPI, PMI, torchrun, Slurm, SageMaker; and the facts from input/config/hyperparameters.json. With
  /// IncludeWorkers::one, only the first process is enabled. Throws as from_json.
  static HookConfiguration from_environment(const Variable& variable = {});

  /// Returns `base` with what this configuration says in its place.
  [[nodiscard]] HookOptions over(HookOptions base) const;

  /// Returns the JSON from which `from_json` reads this configuration again, without warnings. It holds one clause of
  /// steps for each mode of a collection: for several, one that includes them.
  [[nodiscard]] std::string to_json() const;
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/capture/internal/hook_configuration_impl.hpp>
#endif
