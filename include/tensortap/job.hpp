// The doors of managed training jobs: a program that is run to its end across interruptions, with its checkpoints and
// rules, as SageMaker's Estimator.fit() does it. The command 'tensortap train' is made of these.
#pragma once

#include <tensortap/tensortap.hpp>  // the library

#include <tensortap/job/job_options.hpp>   // job: what is to be run, and how
#include <tensortap/job/job_record.hpp>    //      what became of it
#include <tensortap/job/training_job.hpp>  //      the run itself
