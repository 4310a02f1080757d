// tensortap: taps the tensors flowing through training, keeps what matters, and reads it back.
//
// This header is the map: a tensor is seen, selected, reduced, recorded, stored, read, judged. Each folder includes
// only earlier ones; capture/ drives the first five, spot/ keeps a run alive across machines.
#pragma once

#include <tensortap/error.hpp>      // one error type, all messages
#include <tensortap/isa.hpp>        // the instruction set in use
#include <tensortap/name.hpp>       // what a tensor may be called
#include <tensortap/reduction.hpp>  // the names of reductions
#include <tensortap/statistics_record.hpp>  // statistics, and the record of them
#include <tensortap/step.hpp>       // modes and steps
#include <tensortap/stop.hpp>       // the request to stop
#include <tensortap/version.hpp>    // the version

#include <tensortap/tensor/as_view.hpp>        // see: a view of whatever you call a tensor
#include <tensortap/tensor/dtype.hpp>          //      element types
#include <tensortap/tensor/tensor.hpp>         //      a tensor that owns its elements
#include <tensortap/tensor/view.hpp>           //      a tensor somebody else owns
#include <tensortap/tensor/writable_view.hpp>  //      one that may be changed

#include <tensortap/select/collection.hpp>   // select: groups of tensors
#include <tensortap/select/pattern.hpp>      //         names by regular expression
#include <tensortap/select/save_config.hpp>  //         when to save
#include <tensortap/select/internal/selection.hpp>    //         the decision

#include <tensortap/reduce/count.hpp>       // reduce: how many elements lie in an interval
#include <tensortap/reduce/difference.hpp>  //         what has changed between two tensors
#include <tensortap/reduce/histogram.hpp>   //         magnitudes, counted
#include <tensortap/reduce/many.hpp>        //         many tensors at once
#include <tensortap/reduce/reduce.hpp>      //         smdebug's reductions
#include <tensortap/reduce/statistics.hpp>  //         all statistics in one pass
#include <tensortap/step_view.hpp>   //         one step as rules see it

#include <tensortap/record/attempt.hpp>           // record: the lives of a writer
#include <tensortap/record/collections_file.hpp>  //         the collections of a run
#include <tensortap/record/event.hpp>             //         one tensor as bytes
#include <tensortap/record/index.hpp>             //         where its bytes are
#include <tensortap/record/layout.hpp>            //         what is called how
#include <tensortap/record/tfrecord.hpp>          //         framing and checksums

#include <tensortap/internal/parallel_for.hpp>  // store: many calls at the same time
#include <tensortap/store/cached.hpp>   //        what was read, kept in a directory
#include <tensortap/store/file.hpp>     //        a directory
#include <tensortap/store/memory.hpp>   //        memory
#include <tensortap/store/open.hpp>     //        by address
#include <tensortap/store/store.hpp>    //        bring your own

#include <tensortap/capture/hook.hpp>     // capture: what a training loop holds
#include <tensortap/capture/hook_options.hpp>  //          how it is configured
#include <tensortap/capture/report.hpp>   //          what was saved of each collection
#include <tensortap/capture/resumed.hpp>
#include <tensortap/capture/state.hpp>    //          the last commits
#include <tensortap/capture/status.hpp>   //          what was done, and what was lost

#include <tensortap/trial/damage.hpp>          // read: what cannot be read
#include <tensortap/trial/outline.hpp>         //       what the object names tell
#include <tensortap/trial/stored_step.hpp>     //       one step as rules see it
#include <tensortap/trial/tensor_history.hpp>  //       one tensor over the steps
#include <tensortap/trial/trial.hpp>           //       a run, finished or still being written
#include <tensortap/trial/trial_options.hpp>   //       how it is read

#include <tensortap/rules/action.hpp>              // judge: what happens after a finding
#include <tensortap/rules/evaluate.hpp>            //        rules over a stored run
#include <tensortap/rules/finding.hpp>             //        what a rule has found
#include <tensortap/rules/judge.hpp>               //        rules in the training process
#include <tensortap/rules/rule.hpp>                //        a rule of your own
#include <tensortap/rules/vanishing_gradient.hpp>  //        gradients that vanish

#include <tensortap/spot/checkpoint_sync.hpp>  // spot: checkpoints that outlive the machine
#include <tensortap/spot/interruption.hpp>     //       notices that the machine goes
