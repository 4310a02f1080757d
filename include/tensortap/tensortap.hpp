// tensortap: taps the tensors flowing through training, keeps what matters, and reads it back.
//
// This header is the map: a tensor is seen, selected, reduced, recorded, stored, read. Each folder includes only
// earlier ones; capture/ drives the first five.
#pragma once

#include <tensortap/error.hpp>      // one error type, all messages
#include <tensortap/name.hpp>       // what a tensor may be called
#include <tensortap/reduction.hpp>  // the names of reductions
#include <tensortap/step.hpp>       // modes and steps
#include <tensortap/version.hpp>    // the version

#include <tensortap/tensor/as_view.hpp>  // see: a view of whatever you call a tensor
#include <tensortap/tensor/dtype.hpp>    //      element types
#include <tensortap/tensor/tensor.hpp>   //      a tensor that owns its elements
#include <tensortap/tensor/view.hpp>     //      a tensor somebody else owns

#include <tensortap/select/collection.hpp>   // select: groups of tensors
#include <tensortap/select/pattern.hpp>      //         names by regular expression
#include <tensortap/select/save_config.hpp>  //         when to save
#include <tensortap/select/selection.hpp>    //         the decision

#include <tensortap/reduce/reduce.hpp>      // reduce: smdebug's reductions
#include <tensortap/reduce/statistics.hpp>  //         all statistics in one pass

#include <tensortap/record/collections_file.hpp>  // record: the collections of a run
#include <tensortap/record/event.hpp>             //         one tensor as bytes
#include <tensortap/record/index.hpp>             //         where its bytes are
#include <tensortap/record/layout.hpp>            //         what is called how
#include <tensortap/record/tfrecord.hpp>          //         framing and checksums

#include <tensortap/store/file.hpp>    // store: a directory
#include <tensortap/store/memory.hpp>  //        memory
#include <tensortap/store/open.hpp>    //        by address
#include <tensortap/store/store.hpp>   //        bring your own

#include <tensortap/capture/hook.hpp>          // capture: what a training loop holds
#include <tensortap/capture/options.hpp>       //          how it is configured
#include <tensortap/capture/step_records.hpp>  //          one step under way

#include <tensortap/trial/tensor_history.hpp>  // read: one tensor over the steps
#include <tensortap/trial/trial.hpp>           //       a run
