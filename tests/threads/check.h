/* check.h - what a program of several threads holds true: where it does not, it says so and ends with 1. */
#ifndef CW_TESTS_THREADS_CHECK_H
#define CW_TESTS_THREADS_CHECK_H
#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

#endif
