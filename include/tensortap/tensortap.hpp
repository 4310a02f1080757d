// tensortap: taps the tensors flowing through training, keeps what matters, and reads it back.
//
// This header is the map: it lists the doors of the library in the order of the flow. A tensor is seen, selected,
// reduced, recorded, stored, read, judged. Each folder includes only earlier ones; capture/ drives the first five,
// spot/ keeps a run alive across machines. Each folder has a README.md.
#pragma once

#include <tensortap/capture_requests.hpp>   // the requests of rules to a hook
#include <tensortap/error.hpp>              // the one error type
#include <tensortap/isa.hpp>                // the instruction set in use
#include <tensortap/name.hpp>               // the limits of tensor names
#include <tensortap/phase.hpp>              // the phases of a training loop
#include <tensortap/reduction.hpp>          // the names of reductions
#include <tensortap/retry_policy.hpp>       // how failing calls are repeated
#include <tensortap/statistics_record.hpp>  // statistics, and their record
#include <tensortap/step.hpp>               // modes and steps
#include <tensortap/step_view.hpp>          // one step as rules see it
#include <tensortap/stop.hpp>               // the request to stop
#include <tensortap/unit_statistics.hpp>    // statistics of the units of a layer, and their record
#include <tensortap/version.hpp>            // the version

#include <tensortap/bytes/bytes.hpp>   // bytes and text
#include <tensortap/bytes/crc32c.hpp>  // their checksum
#include <tensortap/bytes/hex.hpp>     // their hexadecimal digits

#include <tensortap/tensor/as_view.hpp>        // see: a view of any tensor type
#include <tensortap/tensor/dtype.hpp>          //      element types
#include <tensortap/tensor/tensor.hpp>         //      a tensor that owns its elements
#include <tensortap/tensor/view.hpp>           //      a tensor that borrows them
#include <tensortap/tensor/writable_view.hpp>  //      a view that may change them

#include <tensortap/select/collection.hpp>   // select: groups of tensors
#include <tensortap/select/pattern.hpp>      //         names by regular expression
#include <tensortap/select/save_config.hpp>  //         when to save

#include <tensortap/reduce/classes.hpp>         // reduce: how many examples are of each class
#include <tensortap/reduce/count.hpp>           //         how many elements lie in an interval
#include <tensortap/reduce/difference.hpp>      //         the difference of two tensors
#include <tensortap/reduce/histogram.hpp>       //         counts by magnitude
#include <tensortap/reduce/many.hpp>            //         many tensors at once
#include <tensortap/reduce/reduce.hpp>          //         smdebug's reductions
#include <tensortap/reduce/reduce_options.hpp>  //         how many threads
#include <tensortap/reduce/statistics.hpp>      //         all statistics in one pass
#include <tensortap/reduce/units.hpp>           //         statistics of each unit of a layer

#include <tensortap/record/attempt.hpp>           // record: the attempts at a run
#include <tensortap/record/collections_file.hpp>  //         the collections of a run
#include <tensortap/record/event.hpp>             //         one tensor as bytes
#include <tensortap/record/hook_cost.hpp>         //         what a hook has cost training
#include <tensortap/record/index.hpp>             //         where its bytes are
#include <tensortap/record/layout.hpp>            //         the keys of a run
#include <tensortap/record/loss.hpp>              //         what a run lacks
#include <tensortap/record/retention.hpp>         //         how much of a run is kept
#include <tensortap/record/tfrecord.hpp>          //         framing and checksums
#include <tensortap/record/thinning.hpp>          //         what a budget left out

#include <tensortap/store/cached.hpp>      // store: a store with a cache in a directory
#include <tensortap/store/file.hpp>        //        a directory
#include <tensortap/store/file_calls.hpp>  //        its system calls, for tests
#include <tensortap/store/memory.hpp>      //        memory
#include <tensortap/store/open.hpp>        //        by address
#include <tensortap/store/store.hpp>       //        the interface

#include <tensortap/capture/checkpoint_files.hpp>  // capture: checkpoints that are never replaced

#include <tensortap/capture/flight_recorder.hpp>     // capture: what is kept for snapshots
#include <tensortap/capture/hook.hpp>                //          the hook of a training loop
#include <tensortap/capture/hook_configuration.hpp>  //          its configuration from outside
#include <tensortap/capture/hook_options.hpp>        //          its options
#include <tensortap/capture/report.hpp>              //          what was saved of each collection
#include <tensortap/capture/resumed.hpp>             //          where a run continues
#include <tensortap/capture/state.hpp>               //          the last commits
#include <tensortap/capture/status.hpp>              //          the ledger: what was saved and what was lost
#include <tensortap/capture/step_observer.hpp>       //          what sees each written step
#include <tensortap/capture/worker_place.hpp>        //          which of several processes this is

#include <tensortap/trial/compare.hpp>         // read: where two runs differ
#include <tensortap/trial/damage.hpp>          //       what cannot be read
#include <tensortap/trial/losses.hpp>          //       what was lost
#include <tensortap/trial/outline.hpp>         //       what the object names tell
#include <tensortap/trial/packed_run.hpp>      //       a packed run as the files in it
#include <tensortap/trial/prune.hpp>           //       its oldest steps removed
#include <tensortap/trial/stored_step.hpp>     //       one step as rules see it
#include <tensortap/trial/tensor_history.hpp>  //       one tensor over the steps
#include <tensortap/trial/trial.hpp>           //       a run, finished or still being written
#include <tensortap/trial/trial_options.hpp>   //       how it is read
#include <tensortap/trial/trials.hpp>          //       several runs side by side
#include <tensortap/trial/unpack.hpp>          //       a packed run back in the layout of smdebug

#include <tensortap/rules/action.hpp>           // judge: what happens after a finding
#include <tensortap/rules/background.hpp>       //        actions that take time
#include <tensortap/rules/evaluate.hpp>         //        rules over a stored run
#include <tensortap/rules/finding.hpp>          //        what a rule has found
#include <tensortap/rules/judge.hpp>            //        rules in the training process
#include <tensortap/rules/judged_step.hpp>      //        one step, with the roles of its tensors
#include <tensortap/rules/known_tensor.hpp>     //        these roles
#include <tensortap/rules/recent_window.hpp>    //        the last values of a series
#include <tensortap/rules/rule.hpp>             //        a rule of your own
#include <tensortap/rules/rule_parameters.hpp>  //        its parameters
#include <tensortap/rules/rule_state.hpp>       //        what it has seen
#include <tensortap/rules/run_command.hpp>      //        a program as an action
#include <tensortap/rules/tensor_change.hpp>    //        how a parameter has changed
#include <tensortap/rules/tensor_choice.hpp>    //        tensors by collection or name
#include <tensortap/rules/training_facts.hpp>   //        what losses, labels and predictions tell
#include <tensortap/rules/value_history.hpp>    //        the elements of a tensor in its last steps
#include <tensortap/rules/verdict.hpp>          //        what all rules have found
#include <tensortap/rules/xgboost_report.hpp>   //        the data of a report on a training with XGBoost

#include <tensortap/rules/builtin/all_rules.hpp>                      // judge: the built-in rules
#include <tensortap/rules/builtin/all_zero.hpp>                       //        tensors that are all zero
#include <tensortap/rules/builtin/check_input_images.hpp>             //        images that were not normalised
#include <tensortap/rules/builtin/class_imbalance.hpp>                //        rare classes
#include <tensortap/rules/builtin/confusion.hpp>                      //        classes taken for others
#include <tensortap/rules/builtin/dead_relu.hpp>                      //        ReLU layers that are never active
#include <tensortap/rules/builtin/double_softmax.hpp>                 //        probabilities where scores belong
#include <tensortap/rules/builtin/exploding_gradient.hpp>             //        gradients that grow with the loss
#include <tensortap/rules/builtin/exploding_tensor.hpp>               //        NaN and infinities
#include <tensortap/rules/builtin/feature_importance_overweight.hpp>  //        models that rest on few features
#include <tensortap/rules/builtin/gradient_noise_scale.hpp>           //        batches far from the noise scale
#include <tensortap/rules/builtin/gradient_spike.hpp>                 //        a step with a large gradient
#include <tensortap/rules/builtin/identical_units.hpp>                //        layers whose units are all the same
#include <tensortap/rules/builtin/input_range.hpp>                    //        inputs that are too large or too small
#include <tensortap/rules/builtin/learning_rate_range.hpp>            //        learning rates hardly meant
#include <tensortap/rules/builtin/loss_diverging.hpp>                 //        a loss that runs away
#include <tensortap/rules/builtin/loss_not_decreasing.hpp>            //        a loss at the level of chance
#include <tensortap/rules/builtin/loss_plateau.hpp>                   //        a loss that stops falling
#include <tensortap/rules/builtin/loss_spike.hpp>                     //        single bad values of a loss
#include <tensortap/rules/builtin/nlp_sequence_ratio.hpp>             //        sequences that are mostly padding
#include <tensortap/rules/builtin/not_better_than_constant.hpp>       //        predictions that tell nothing
#include <tensortap/rules/builtin/overfit.hpp>                        //        validation much worse than training
#include <tensortap/rules/builtin/overtraining.hpp>                   //        training that goes on for nothing
#include <tensortap/rules/builtin/poor_weight_initialization.hpp>     //        initial weights that cannot learn
#include <tensortap/rules/builtin/prediction_collapse.hpp>            //        predictions that are all the same
#include <tensortap/rules/builtin/rank_divergence.hpp>                //        workers whose parameters differ
#include <tensortap/rules/builtin/saturated_activation.hpp>  //        tanh and sigmoid layers that are saturated
#include <tensortap/rules/builtin/similar_across_runs.hpp>   //        runs that should be equal
#include <tensortap/rules/builtin/stalled_training.hpp>      //        long pauses between steps
#include <tensortap/rules/builtin/tensor_variance.hpp>       //        variances beyond thresholds
#include <tensortap/rules/builtin/tree_depth.hpp>            //        decision trees that are too deep
#include <tensortap/rules/builtin/unchanged_tensor.hpp>      //        weights that do not change any more
#include <tensortap/rules/builtin/update_missing.hpp>        //        weights that never change
#include <tensortap/rules/builtin/vanishing_gradient.hpp>    //        gradients that vanish
#include <tensortap/rules/builtin/weight_update_ratio.hpp>   //        weights that change too much

#include <tensortap/spot/checkpoint_sync.hpp>          // spot: checkpoints that outlive the machine
#include <tensortap/spot/checkpoint_sync_options.hpp>  //       their configuration and reports
#include <tensortap/spot/interruption.hpp>             //       notices that the machine goes
