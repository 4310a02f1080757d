// The bodies of training_job.hpp.
#pragma once

#include <memory>
#include <utility>

#include <tensortap/internal/config.hpp>
#include <tensortap/job/internal/training_job_state.hpp>
#include <tensortap/job/training_job.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE TrainingJob::TrainingJob(JobOptions options, JobEvents events)
    : state_(std::make_unique<detail::TrainingJobState>(std::move(options), std::move(events))) {}

TENSORTAP_INLINE TrainingJob::~TrainingJob() = default;

TENSORTAP_INLINE JobRecord TrainingJob::run() { return state_->run(); }

TENSORTAP_END_NAMESPACE
