// The doors of traces: what a training did when, and what its machine did meanwhile.
#pragma once

#include <tensortap/tensortap.hpp>  // the library

#include <tensortap/trace/merged_timeline.hpp>  // trace: one file for chrome://tracing and Perfetto
#include <tensortap/trace/profile_rules.hpp>    // trace: the rules of SageMaker's profiler
#include <tensortap/trace/profile_summary.hpp>  // trace: the tables of SageMaker's profiler
#include <tensortap/trace/system_sampler.hpp>   // trace: samples the machine
#include <tensortap/trace/timeline.hpp>         // trace: reads what was written, by smdebug too
#include <tensortap/trace/tracer.hpp>           // trace: writes phases of a training
