/* store_push.h - push entries into a store and wait until they are acknowledged. */
#ifndef CW_TESTS_STORE_PUSH_H
#define CW_TESTS_STORE_PUSH_H
#include "common/wire/push.h"
#include "ingester/store.h"

/* Of tenant "t", into the stream `labels`; ends the program on an error. Any thread. */
void store_push(struct cw_store *store, const char *labels, const struct cw_push_entry *entries,
                size_t n);

#endif
