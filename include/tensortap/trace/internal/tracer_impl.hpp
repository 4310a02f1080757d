// The bodies of tracer.hpp.
#pragma once

#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/store/open.hpp>
#include <tensortap/store/store.hpp>
#include <tensortap/trace/internal/profiler_configuration.hpp>
#include <tensortap/trace/internal/trace_writer.hpp>
#include <tensortap/trace/tracer.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE Tracer::Tracer(std::shared_ptr<Store> store, TracerOptions options)
    : writer_(std::make_unique<detail::TraceWriter>(std::move(store), std::move(options))) {}

TENSORTAP_INLINE Tracer::Tracer(std::string_view address, TracerOptions options)
    : Tracer(open_store(address), std::move(options)) {}

TENSORTAP_INLINE std::shared_ptr<Tracer> Tracer::from_environment(TracerOptions options) {
  const char* const path = std::getenv("SMPROFILER_CONFIG_PATH");
  const char* const base = std::getenv("SAGEMAKER_BASE_DIR");
  options.configuration =
      path != nullptr && *path != '\0'
          ? std::string(path)
          : std::string(base != nullptr && *base != '\0' ? base : "/opt/ml") + "/input/config/profilerconfig.json";
  const auto found = detail::profiler_configuration_in(options.configuration);
  if (!found) return nullptr;
  const std::string local = found->local_path.empty() ? "/opt/ml/output/profiler" : found->local_path;
  return std::make_shared<Tracer>(local, std::move(options));
}

TENSORTAP_INLINE Tracer::~Tracer() {
  if (writer_->is_child()) (void)writer_.release();  // its thread is the parent's
}

TENSORTAP_INLINE void Tracer::add(const Phase& phase) noexcept { writer_->add(phase); }

TENSORTAP_INLINE TracerStatus Tracer::status() const { return writer_->status(); }

TENSORTAP_INLINE void Tracer::close() { writer_->close(); }

TENSORTAP_END_NAMESPACE
