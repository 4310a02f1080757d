// Checks from the inside of a job that every file, variable and argument of SageMaker's contract is there, as
// contract.sh does. The last line is "all is there"; else the program fails and says what is missing.
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

int missing = 0;

void check(const std::string& what, bool holds) {
  if (holds) return;
  ++missing;
  std::cout << "missing: " << what << '\n';
}

std::string variable(const std::string& name) {
  const char* const value = std::getenv(name.c_str());
  check("variable " + name, value != nullptr && *value != '\0');
  return value == nullptr ? "" : value;
}

/// Checks that the value of a variable is `expected`.
void is(const std::string& name, const std::string& expected) {
  const std::string value = variable(name);
  check(name + " is " + expected + ", not " + value, value == expected);
}

Json in_variable(const std::string& name) {
  Json out = Json::parse(variable(name), nullptr, false);
  check("JSON in " + name, !out.is_discarded());
  return out;
}

Json in_file(const std::string& path) {
  std::ifstream file(path);
  Json out = Json::parse(file, nullptr, false);
  check("JSON in " + path, !out.is_discarded());
  return out;
}

void check_files(const std::string& base) {
  const std::string config = base + "/input/config/";
  const Json hyperparameters = in_file(config + "hyperparameters.json");
  for (const auto& [name, value] : hyperparameters.items()) check("a text as value of " + name, value.is_string());
  check("hyperparameters", hyperparameters.value("batch-size", "") == "64" &&
                               hyperparameters.value("lr", "") == "1e-3" &&
                               hyperparameters.value("sagemaker_program", "") == "train.py");
  const Json resources = in_file(config + "resourceconfig.json");
  check("resources", resources["current_host"] == variable("CURRENT_HOST") && resources["hosts"].size() == 1 &&
                         resources.contains("network_interface_name") && resources.contains("current_instance_type") &&
                         resources.contains("current_group_name") && resources["instance_groups"].size() == 1);
  const Json expected = {
      {"TrainingInputMode", "File"}, {"S3DistributionType", "FullyReplicated"}, {"RecordWrapperType", "None"}};
  const Json input = in_file(config + "inputdataconfig.json");
  check("input data", input["training"] == expected && input["test.set"] == expected && input.size() == 2);
  const Json hook = in_file(variable("SMDEBUG_CONFIG_FILE_PATH"));
  const auto& collections = hook["CollectionConfigurations"];
  check("what the rule needs", std::any_of(collections.begin(), collections.end(),
                                           [](const Json& one) { return one["CollectionName"] == "gradients"; }));
  for (const char* const name : {"CHECKPOINT_CONFIG_FILE_PATH", "TENSORBOARD_CONFIG_FILE_PATH"})
    check(std::string("the directory in ") + name, fs::is_directory(in_file(variable(name)).value("LocalPath", "")));
  in_file(config + "profilerconfig.json");
  check("channel with a directory", fs::exists(base + "/input/data/training/a.txt"));
  check("channel with a file", fs::exists(base + "/input/data/test.set/one.txt"));
  check("no failure", !fs::exists(base + "/output/failure"));
  for (const char* const name : {"model", "output/data", "output/tensors", "output/tensorboard", "output/intermediate",
                                 "checkpoints", "code", "input/data/code"})
    check(name, ::access((base + "/" + name).c_str(), W_OK) == 0);
  check("working directory", fs::equivalent(fs::current_path(), base + "/code"));
}

void check_variables(const std::string& base) {
  const std::string job = variable("TRAINING_JOB_NAME");
  is("SAGEMAKER_JOB_NAME", job);
  check("ARN", variable("TRAINING_JOB_ARN").ends_with("training-job/" + job));
  is("SAGEMAKER_REGION", variable("AWS_REGION"));
  is("SM_CURRENT_HOST", variable("CURRENT_HOST"));
  is("SM_HOSTS", R"(["algo-1"])");
  is("SM_HOST_COUNT", "1");
  is("SM_CURRENT_HOST_RANK", "0");
  is("SM_MASTER_ADDR", "algo-1");
  is("SM_MASTER_PORT", "7777");
  is("SM_LOG_LEVEL", "20");
  is("SM_IS_HETERO", "false");
  is("SM_FRAMEWORK_PARAMS", "{}");
  is("SM_INPUT_DIR", base + "/input");
  is("SM_INPUT_CONFIG_DIR", base + "/input/config");
  is("SM_INPUT_DATA_DIR", base + "/input/data");
  is("SM_OUTPUT_DIR", base + "/output");
  is("SM_OUTPUT_DATA_DIR", base + "/output/data");
  is("SM_OUTPUT_INTERMEDIATE_DIR", base + "/output/intermediate");
  is("SM_OUTPUT_FAILURE", base + "/output/failure");
  is("SM_MODEL_DIR", base + "/model");
  is("SM_MODULE_DIR", base + "/code");
  is("SM_SOURCE_DIR", base + "/input/data/code");
  is("SM_CHANNEL_TEST.SET", base + "/input/data/test.set");
  is("SM_CHANNEL_TEST_SET", base + "/input/data/test.set");
  is("SM_CHANNEL_TRAINING", base + "/input/data/training");
  is("SM_USER_ENTRY_POINT", "job_contract");
  is("SM_ENTRY_SCRIPT", "job_contract");
  is("SM_MODULE_NAME", "job_contract");
  for (const char* const name : {"SM_NETWORK_INTERFACE_NAME", "SM_CURRENT_INSTANCE_TYPE", "SM_CURRENT_INSTANCE_GROUP",
                                 "SM_INSTANCE_GROUPS", "SM_NUM_CPUS", "SM_NUM_GPUS"})
    (void)variable(name);
  check("SM_CHANNELS", in_variable("SM_CHANNELS") == Json({"test.set", "training"}));
  check("SM_RESOURCE_CONFIG", in_variable("SM_RESOURCE_CONFIG") == in_file(base + "/input/config/resourceconfig.json"));
  check("SM_INPUT_DATA_CONFIG",
        in_variable("SM_INPUT_DATA_CONFIG") == in_file(base + "/input/config/inputdataconfig.json"));
  const Json values = {{"batch-size", 64}, {"lr", 1e-3},    {"n", 3},
                       {"layers", {1, 2}}, {"text", "a b"}, {"sagemaker_program", "train.py"}};
  check("SM_HPS", in_variable("SM_HPS") == values);
  check("SM_TRAINING_ENV", in_variable("SM_TRAINING_ENV")["hyperparameters"] == values);
  is("SM_HP_BATCH_SIZE", "64");
  is("SM_HP_BATCH-SIZE", "64");
  is("SM_HP_LR", "1e-3");
  is("SM_HP_LAYERS", "[1,2]");
  is("SM_HP_TEXT", "a b");
}

}  // namespace

int main(int argc, char** argv) {
  const std::string base = variable("SAGEMAKER_BASE_DIR");
  check_files(base);
  check_variables(base);
  const std::vector<std::string> expected = {"first", "second word", "--batch-size", "64", "--layers", "[1,2]",
                                             "--lr",  "1e-3",        "-n",           "3",  "--text",   "a b"};
  check("arguments", std::vector<std::string>(argv + 1, argv + argc) == expected);
  check("SM_USER_ARGS", in_variable("SM_USER_ARGS") == Json(std::vector(expected.begin() + 2, expected.end())));
  if (missing == 0) std::cout << "all is there\n";
  return missing == 0 ? 0 : 1;
}
