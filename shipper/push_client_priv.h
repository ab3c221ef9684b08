/*
 * push_client_priv.h - what push_client.c (batches and their answers), push_ask.c (what the server has) and push_turns.c (whose
 * turn it is) have in common: the client itself, whose states are drawn in push_client.h.
 */
#ifndef CW_SHIPPER_PUSH_CLIENT_PRIV_H
#define CW_SHIPPER_PUSH_CLIENT_PRIV_H
#include "shipper/push_client.h"
#include "shipper/push_refusal.h"
#include "shipper/push_target.h"
#include "shipper/shipper_metrics.h"

enum cw_push_state {
    CW_PUSH_STOPPED,
    CW_PUSH_ASKING,
    CW_PUSH_IDLE,
    CW_PUSH_SENDING,
    CW_PUSH_BACKOFF,
    CW_PUSH_NSTATES
};
enum { CW_PUSH_CLIENT_MAGIC = 0x70757368 };

struct cw_push_client {
    uint32_t magic;
    enum cw_push_state state;
    struct cw_push_host *host; /* borrowed */
    const struct cw_client_config *config;
    struct cw_id128 id;
    size_t output;
    struct cw_push_target target; /* URLs, headers, credentials */
    uv_timer_t timer;             /* IDLE: the next batch is due; BACKOFF: its end */
    struct cw_buf ask_body;
    struct cw_batch *batch;           /* its parts stay named until they are settled or cut again */
    struct cw_push_confirm *confirms; /* in the push under way */
    struct cw_source **confirmed;
    uint64_t confirmed_save; /* sources->nsaves when there was nothing to confirm */
    size_t nconfirms;
    int64_t started_ns; /* monotonic, of the call under way */
    int64_t
        waiting_since_ns; /* when the oldest that is not in a batch was seen; 0: nothing waits */
    int64_t look_ns;      /* monotonic; until then no batch is due but by the timer */
    unsigned nfailures;   /* in a row */
    uint64_t nrefused;    /* entries, since the start */
    bool pairs_told;      /* metadata was left out */
    bool over_streams_told;
    bool large;      /* the batch was, and its memory is still there */
    int64_t sent_ns; /* monotonic, when the last push began; or we were made */
    bool plain;      /* the server does not know the delivery protocol */
    bool knows;      /* it has answered an ask with marks: a 404 is a fault of the way there */
    bool ready;
    bool scout;        /* BACKOFF: cut, to find entries of tenants, and send nothing */
    bool scout_passed; /* the last such cut settled something */
    bool restart;      /* ask as soon as nothing is under way */
    bool forget_batch; /* and cut again whatever the marks say */
    bool greedy_turn;  /* the next cut begins with the output's `greedy` */
    struct cw_push_refusals refusals;
    uint64_t random;
};

void cw_push_client_enter(struct cw_push_client *pc, enum cw_push_state next);
/* Add to the metric's child of this client. */
void cw_push_client_count(struct cw_push_client *pc, enum cw_shipper_metric metric, uint64_t n);
struct cw_tally_output *cw_push_client_tally(struct cw_push_client *pc, struct cw_source *source);
/* A failure: wait, longer each time in a row, then ask; so many milliseconds. retry_after_s: what the server wants, -1 nothing. */
int64_t cw_push_client_wait(struct cw_push_client *pc, int64_t retry_after_s);
/* The same, and tell why. */
void cw_push_client_back_off(struct cw_push_client *pc, const char *what, const char *why,
                             int64_t retry_after_s);
/* In BACKOFF, with --once: too many failures. Nothing is sent any more, nor kept; the others go on. */
void cw_push_client_give_up(struct cw_push_client *pc);
/* Send batch->body, as it was encoded. */
void cw_push_client_send(struct cw_push_client *pc);
/* Lines that are in no push, and why. */
void cw_push_client_left_out(struct cw_push_client *pc, struct cw_source *source,
                             const struct cw_batch_counts *counts);

#endif
