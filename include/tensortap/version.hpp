// The version of the library, for the preprocessor. CMake reads it from this file.
#pragma once

#define TENSORTAP_VERSION_MAJOR 0
#define TENSORTAP_VERSION_MINOR 1
#define TENSORTAP_VERSION_PATCH 0
#define TENSORTAP_VERSION "0.1.0"

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// The version of the headers that this file is compiled with, e.g. "0.1.0".
inline constexpr const char* version = TENSORTAP_VERSION;

TENSORTAP_END_NAMESPACE
