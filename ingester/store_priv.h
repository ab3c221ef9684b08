/*
 * store_priv.h - the store's insides, for store*.c alone.
 */
#ifndef CW_INGESTER_STORE_PRIV_H
#define CW_INGESTER_STORE_PRIV_H
#include <pthread.h>
#include <stdatomic.h>
#include "common/store/data_lock.h"
#include "common/store/quarantine.h"
#include "ingester/store.h"
#include "ingester/wal_writer.h"

/* No push for so long, and a head of so much: flush it (design section 5). */
#define STORE_IDLE_NS INT64_C(1000000000)
#define STORE_IDLE_FLUSH_BYTES (8u << 20)

enum store_state {
    STORE_REPLAYING,
    STORE_READY,
    STORE_FAILED, /* the log could not be replayed: reads only */
    STORE_STOPPING,
};

struct store_frozen {
    struct store_frozen *next;
    struct cw_generation *generation;
};

struct store_flush_wait {
    struct store_flush_wait *next;
    void (*done)(void *arg, int rc, const struct cw_err *err);
    void *arg;
    struct cw_store_op op; /* freezes, in WAL order */
    struct cw_store *store;
};

struct store_counters {
    atomic_uint_fast64_t wal_syncs, wal_sync_ns, wal_failures, wal_bad, wal_missing, flushes,
        flush_failures, marks, forgotten, replayed;
};

/* The WAL thread's: since when the log cannot be written. */
struct store_log_trouble {
    uint64_t nrefused; /* pushes; 0: all is well */
    int64_t since_ns;  /* monotonic, as begun_ns */
    int64_t begun_ns;  /* when a segment was last begun since; 0: none was */
    struct cw_err last;
};

/* What fails again and again is said once: the code that was told, 0: all is well. */
struct store_told {
    int code;
};
void store_tell(struct store_told *told, const char *what, int rc, const struct cw_err *err);

struct cw_store {
    struct cw_store_options options;
    char *data_dir, *wal_dir;
    struct cw_quarantine *quarantine; /* for the log */
    struct cw_data_lock *lock;
    struct cw_parts *parts;
    struct cw_head *head;
    struct cw_deletes *deletes;
    struct cw_retention_shares *shares;
    struct cw_purge *purge;
    struct cw_merge *merge;
    struct cw_pool_group *snapshots;
    struct cw_retention_totals retention_totals;
    struct cw_pool_group *reports;
    struct cw_marks *marks; /* the WAL thread's */
    struct cw_wal_writer *writer;
    _Atomic(enum store_state) state;
    struct cw_err failure; /* set before STORE_FAILED */
    atomic_uint_fast64_t pending_bytes;
    atomic_uint_fast64_t purge_seq; /* frames up to it are to leave the log; 0: none */
    atomic_bool pressed;            /* a push was refused for memory: flush what there is */
    struct store_counters counters;

    /* Ops for the WAL thread. */
    pthread_t wal_thread;
    pthread_mutex_t ops_lock;
    pthread_cond_t ops_cond;
    struct cw_store_op *ops_first, *ops_last;
    bool ops_closed;      /* no more are taken */
    bool wrote;           /* the WAL thread's: frames were appended in this group */
    int64_t last_push_ns; /* monotonic; the WAL thread's */
    int64_t last_sync_ns;
    struct store_log_trouble trouble;
    uint64_t log_purged_seq; /* the log's last frame when it was begun anew for deletes */
    bool log_purge_fails;    /* that was told */
    uint64_t renewed_seq; /* the log's last frame when it was last begun anew (or that was tried) */

    /* Generations for the flusher. */
    pthread_t flush_thread;
    pthread_mutex_t flush_lock;
    pthread_cond_t flush_cond;   /* anything below changed */
    struct store_frozen *frozen; /* oldest first; the first is being flushed */
    size_t nfrozen;
    uint64_t nflushed;         /* generations that left, one way or the other */
    struct cw_err flush_error; /* of the last try; code 0: it went well */
    bool flush_stop;

    /* The keeper. */
    pthread_t keeper_thread;
    unsigned nthreads;              /* that have started, in this order: flush, keeper, WAL */
    struct store_flush_wait *waits; /* under flush_lock */
    bool keeper_stop;
    struct store_told retention_told, deletes_told; /* the keeper's */
};

/* store_replay.c: every segment of the log, opened to be read and written. What is no file is left to the replay, which sets it
 * aside. */
typedef int (*store_segment_fn)(int fd, const char *path, struct cw_err *err);
int store_each_segment(struct cw_store *store, store_segment_fn fn, struct cw_err *err);

/* On the WAL thread, first of all. */
int store_replay(struct cw_store *store, struct cw_err *err);
/* store_commit.c */
void *store_wal_main(void *arg);
/* End the log's segment and begin another one. Not while frames wait for their sync. */
int store_segment_begin(struct cw_store *store, struct cw_err *err) CW_MUST_USE;
/* All that was answered survives a power cut from now on, whatever wal.sync says. */
int store_make_durable(struct cw_store *store, struct cw_err *err);
/* Close the current generation (if it has entries) and hand it to the flusher. */
void store_freeze_now(struct cw_store *store);
/* store_flush.c */
void *store_flush_main(void *arg);
void *store_keeper_main(void *arg);
/* store_delete.c: deletes whose time has come. */
void store_deletes_advance(struct cw_store *store);
size_t store_nfrozen(struct cw_store *store);
/* Wait until at most `n` generations wait; false when a flush fails meanwhile. */
bool store_wait_frozen(struct cw_store *store, size_t n);
/* Wait until a flush succeeds, however often it fails before (the disk is full); false: the store stops. */
bool store_wait_flush(struct cw_store *store);

#endif
