#!/bin/bash
# Checks from the inside of a job that every file, variable and argument of SageMaker's contract is there.
# The last line is "all is there"; else the program fails and says what is missing.
missing=()
check() { # WHAT COMMAND...: the command succeeds
  local what=$1
  shift
  "$@" > /dev/null 2>&1 || missing+=("$what")
}
json() { # FILE EXPRESSION: the expression holds for the JSON `j` of a file
  python3 -c 'import json, os, sys; e = os.environ; j = json.load(open(sys.argv[1])); sys.exit(0 if eval(sys.argv[2]) else 1)' "$1" "$2"
}
text() { # VARIABLE EXPRESSION: the expression holds for the JSON `j` in a variable
  python3 -c 'import json, os, sys; e = os.environ; j = json.loads(e[sys.argv[1]]); sys.exit(0 if eval(sys.argv[2]) else 1)' "$1" "$2"
}

base=$SAGEMAKER_BASE_DIR
config=$base/input/config
for name in TRAINING_JOB_NAME TRAINING_JOB_ARN AWS_REGION CURRENT_HOST SAGEMAKER_JOB_NAME SAGEMAKER_REGION SAGEMAKER_BASE_DIR \
  SM_HOSTS SM_CURRENT_HOST SM_NETWORK_INTERFACE_NAME SM_HPS SM_USER_ENTRY_POINT SM_FRAMEWORK_PARAMS SM_RESOURCE_CONFIG \
  SM_INPUT_DATA_CONFIG SM_OUTPUT_DATA_DIR SM_CHANNELS SM_CURRENT_INSTANCE_TYPE SM_CURRENT_INSTANCE_GROUP \
  SM_INSTANCE_GROUPS SM_IS_HETERO SM_MODULE_NAME SM_MODULE_DIR SM_LOG_LEVEL SM_INPUT_DIR SM_INPUT_CONFIG_DIR SM_OUTPUT_DIR \
  SM_MODEL_DIR SM_NUM_CPUS SM_NUM_GPUS SM_TRAINING_ENV SM_USER_ARGS SM_OUTPUT_INTERMEDIATE_DIR SM_SOURCE_DIR SM_ENTRY_SCRIPT \
  SM_INPUT_DATA_DIR SM_OUTPUT_FAILURE SM_MASTER_ADDR SM_MASTER_PORT SM_HOST_COUNT SM_CURRENT_HOST_RANK \
  SMDEBUG_CONFIG_FILE_PATH CHECKPOINT_CONFIG_FILE_PATH TENSORBOARD_CONFIG_FILE_PATH; do
  check "variable $name" test -n "${!name}"
done
for name in SM_INPUT_DIR SM_INPUT_CONFIG_DIR SM_INPUT_DATA_DIR SM_OUTPUT_DIR SM_OUTPUT_DATA_DIR SM_OUTPUT_INTERMEDIATE_DIR \
  SM_MODEL_DIR SM_MODULE_DIR SM_SOURCE_DIR SM_CHANNEL_TRAINING; do
  check "directory $name" test -d "${!name}"
done
for name in model output/data output/tensors output/tensorboard output/intermediate checkpoints code; do
  check "directory $name" test -d "$base/$name"
done
for name in model output/data output/tensors checkpoints; do
  check "writable $name" test -w "$base/$name"
done
check "variable SM_LOG_LEVEL is 20" test "$SM_LOG_LEVEL" = 20
check "variable SM_MASTER_ADDR" test "$SM_MASTER_ADDR" = algo-1
check "variable SM_MASTER_PORT" test "$SM_MASTER_PORT" = 7777
check "variable SM_OUTPUT_FAILURE" test "$SM_OUTPUT_FAILURE" = "$base/output/failure"
check "no failure of an earlier attempt" test ! -e "$base/output/failure"
check "working directory" test "$(pwd -P)" = "$(cd "$base/code" && pwd -P)"
check "channel with a directory" grep -q a "$base/input/data/training/a.txt"
check "channel with a file" grep -q one "$base/input/data/test.set/one.txt"

check "hyperparameters.json" json "$config/hyperparameters.json" \
  'all(type(v) is str for v in j.values()) and j["batch-size" if "batch-size" in j else "batch_size"] == "64" and j["lr"] == "1e-3"'
check "resourceconfig.json" json "$config/resourceconfig.json" \
  'j["current_host"] == e["CURRENT_HOST"] and j["hosts"] == sorted(j["hosts"]) and j["network_interface_name"] == e["SM_NETWORK_INTERFACE_NAME"] and j["current_instance_type"] and j["current_group_name"] and j["instance_groups"][0]["hosts"] == j["hosts"]'
check "inputdataconfig.json" json "$config/inputdataconfig.json" \
  'set(j) == {"training", "test.set"} and j["training"] == {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated", "RecordWrapperType": "None"}'
check "debughookconfig.json" json "$config/debughookconfig.json" \
  'j["LocalPath"] and any(c["CollectionName"] == "gradients" for c in j["CollectionConfigurations"])'
check "checkpointconfig.json" json "$config/checkpointconfig.json" 'os.path.isdir(j["LocalPath"])'
check "tensorboardoutputconfig.json" json "$config/tensorboardoutputconfig.json" 'os.path.isdir(j["LocalPath"])'
check "profilerconfig.json" json "$config/profilerconfig.json" 'isinstance(j, dict)'

check "SM_HOSTS" text SM_HOSTS 'j == sorted(j) and e["SM_CURRENT_HOST"] in j and len(j) == int(e["SM_HOST_COUNT"])'
check "SM_CURRENT_HOST_RANK" text SM_HOSTS 'j[int(e["SM_CURRENT_HOST_RANK"])] == e["SM_CURRENT_HOST"]'
check "SM_HPS" text SM_HPS 'j["layers"] == [1, 2] and j["lr"] == 0.001 and j["text"] == "a b"'
check "SM_CHANNELS" text SM_CHANNELS 'j == ["test.set", "training"]'
check "SM_RESOURCE_CONFIG" text SM_RESOURCE_CONFIG 'j == json.load(open(e["SM_INPUT_CONFIG_DIR"] + "/resourceconfig.json"))'
check "SM_INPUT_DATA_CONFIG" text SM_INPUT_DATA_CONFIG 'j == json.load(open(e["SM_INPUT_CONFIG_DIR"] + "/inputdataconfig.json"))'
check "SM_TRAINING_ENV" text SM_TRAINING_ENV 'j["job_name"] == e["TRAINING_JOB_NAME"] and j["hyperparameters"]["layers"] == [1, 2]'
check "SM_HP_LR" test "$SM_HP_LR" = 1e-3
check "SM_HP_LAYERS" test "$SM_HP_LAYERS" = "[1,2]"
check "SM_HP_TEXT" test "$SM_HP_TEXT" = "a b"
check "SM_HP_BATCH_SIZE" test "$SM_HP_BATCH_SIZE" = 64
check "SM_HP_BATCH-SIZE" grep -qz "^SM_HP_BATCH-SIZE=64$" /proc/$$/environ
check "SM_CHANNEL_TEST_SET" test "$SM_CHANNEL_TEST_SET" = "$base/input/data/test.set"
check "SM_CHANNEL_TRAINING" test "$SM_CHANNEL_TRAINING" = "$base/input/data/training"

expected=(first "second word" --batch-size 64)
[[ -v SM_HP_DIE_ONCE ]] && expected+=(--die-once 1)
expected+=(--layers "[1,2]" --lr 1e-3 -n 3 --text "a b")
check "arguments" test "$(printf '<%s>' "$@")" = "$(printf '<%s>' "${expected[@]}")"
check "SM_USER_ARGS" test "$(python3 -c 'import json, os; print("".join(f"<{a}>" for a in json.loads(os.environ["SM_USER_ARGS"])), end="")')" = \
  "$(printf '<%s>' "${expected[@]:2}")"

if [[ -v SM_HP_DIE_ONCE && $CURRENT_HOST = algo-1 && ! -e $TENSORTAP_TEST_DIR/died ]]; then
  touch "$TENSORTAP_TEST_DIR/died" && echo left > "$base/output/failure"
  sleep 1
  kill -KILL $$
fi
[[ -v SM_HP_DIE_ONCE && $TENSORTAP_JOB_ATTEMPT = 0 ]] && sleep 60
if ((${#missing[@]} > 0)); then
  printf 'missing: %s\n' "${missing[@]}"
  exit 1
fi
echo "all is there"
