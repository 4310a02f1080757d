// WITH_SANITIZER: whether AddressSanitizer or ThreadSanitizer watches the program. Either makes all many times slower,
// and ends the program at an allocation that no machine could serve.
// WITH_THREAD_SANITIZER: whether it is ThreadSanitizer, which ends a forked child of a process with threads that starts
// one.
#pragma once

#if defined(__has_feature)
#define WITH_THREAD_SANITIZER __has_feature(thread_sanitizer)
#define WITH_SANITIZER (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#ifdef __SANITIZE_THREAD__
#define WITH_THREAD_SANITIZER 1
#else
#define WITH_THREAD_SANITIZER 0
#endif
#ifdef __SANITIZE_ADDRESS__
#define WITH_SANITIZER 1
#else
#define WITH_SANITIZER WITH_THREAD_SANITIZER
#endif
#endif
