// The macros of the library: its namespace, and where its function bodies are compiled.
//
// Header-only (the default): each public header includes its function bodies, which are inline. Compiled: every file of
// a program defines TENSORTAP_COMPILED and sees declarations only. The bodies come from the target tensortap::compiled,
// or from the one file that also defines TENSORTAP_IMPLEMENTATION.
#pragma once

#if defined(min) || defined(max)
#error \
    "A header defined min or max as a macro, which breaks the standard library, too. Define NOMINMAX before windows.h."
#endif

// The inline namespace names the compatible versions. Headers of 0.1.x and of 0.2.x declare different symbols, so that
// files compiled with both do not link.
#define TENSORTAP_BEGIN_NAMESPACE \
  namespace tensortap {           \
  inline namespace v0_1 {
#define TENSORTAP_END_NAMESPACE \
  }                             \
  }

// TENSORTAP_INLINE stands before each function body that is compiled once. It also stands before the declaration of
// each virtual function whose body is elsewhere: otherwise this function is the key function of its class, and
// header-only each file compiles the class whether it uses it or not. TENSORTAP_WITH_BODIES is 1 where public headers
// include their bodies.
#if defined(TENSORTAP_COMPILED) || defined(TENSORTAP_IMPLEMENTATION)
#define TENSORTAP_INLINE
#else
#define TENSORTAP_INLINE inline
#endif
#if defined(TENSORTAP_COMPILED) && !defined(TENSORTAP_IMPLEMENTATION)
#define TENSORTAP_WITH_BODIES 0
#else
#define TENSORTAP_WITH_BODIES 1
#endif
