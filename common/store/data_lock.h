/*
 * data_lock.h - the file LOCK of a data directory: whoever changes anything in it holds an flock on it. Readers take none.
 *
 * Ownership  The lock is held until _release(), or until the process ends, however it ends.
 * Errors     CW_E_UNAVAILABLE: another process holds it (its pid and address are named); CW_E_IO.
 */
#ifndef CW_STORE_DATA_LOCK_H
#define CW_STORE_DATA_LOCK_H
#include "common/base/err.h"

struct cw_data_lock;
/* The directory is there. */
int cw_data_lock_take(const char *data_dir, struct cw_data_lock **out,
                      struct cw_err *err) CW_MUST_USE;
/* Say who holds it: "<pid> <address>\n". */
int cw_data_lock_set_address(struct cw_data_lock *lock, const char *address,
                             struct cw_err *err) CW_MUST_USE;
/* NULL is fine. */
void cw_data_lock_release(struct cw_data_lock **lock);

#endif
