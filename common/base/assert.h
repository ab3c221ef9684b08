/*
 * assert.h - our own bugs stop the program, in release too. Bytes from outside are never asserted.
 */
#ifndef CW_BASE_ASSERT_H
#define CW_BASE_ASSERT_H
#include <stddef.h>

_Noreturn void cw_assert_failed(const char *expression, const char *file, int line);

#define CW_ASSERT(expression)                                                                      \
    ((expression) ? (void)0 : cw_assert_failed(#expression, __FILE__, __LINE__))
/* For checks that cost more than a compare; only in debug builds. */
#ifdef NDEBUG
#define CW_DEBUG_ASSERT(expression) ((void)0)
#else
#define CW_DEBUG_ASSERT(expression) CW_ASSERT(expression)
#endif
/* An object with an asynchronous life carries a magic until it is freed. */
#define CW_CHECK(object, value) CW_ASSERT((object) != NULL && (object)->magic == (value))

#define CW_CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))
#define CW_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define CW_MIN(a, b) ((a) < (b) ? (a) : (b))
#define CW_MAX(a, b) ((a) > (b) ? (a) : (b))

#endif
