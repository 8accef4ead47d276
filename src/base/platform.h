/* What differs from compiler to compiler: the one file of base that asks the preprocessor. */
#ifndef LINNET_BASE_PLATFORM_H
#define LINNET_BASE_PLATFORM_H

/* 1 where AddressSanitizer watches the heap, 0 elsewhere: a constant for plain ifs. */
#if defined(__SANITIZE_ADDRESS__)
#define PLATFORM_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PLATFORM_ASAN 1
#endif
#endif

#ifndef PLATFORM_ASAN
#define PLATFORM_ASAN 0
#endif

#endif
