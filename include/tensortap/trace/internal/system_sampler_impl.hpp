// The bodies of system_sampler.hpp.
#pragma once

#include <memory>
#include <string_view>
#include <utility>

#include <tensortap/internal/config.hpp>
#include <tensortap/store/open.hpp>
#include <tensortap/store/store.hpp>
#include <tensortap/trace/internal/metrics_writer.hpp>
#include <tensortap/trace/system_sampler.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE SystemSampler::SystemSampler(std::shared_ptr<Store> store, SystemSamplerOptions options)
    : writer_(std::make_unique<detail::MetricsWriter>(std::move(store), std::move(options))) {}

TENSORTAP_INLINE SystemSampler::SystemSampler(std::string_view address, SystemSamplerOptions options)
    : SystemSampler(open_store(address), std::move(options)) {}

TENSORTAP_INLINE SystemSampler::~SystemSampler() {
  if (writer_->is_child()) (void)writer_.release();  // its thread is the parent's
}

TENSORTAP_INLINE SystemSamplerStatus SystemSampler::status() const { return writer_->status(); }

TENSORTAP_INLINE void SystemSampler::close() noexcept { writer_->close(); }

TENSORTAP_END_NAMESPACE
