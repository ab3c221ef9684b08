/*
 * live_tail_priv.h - what live_tail.c (how a tail begins and ends) and live_tail_run.c (what its thread does) share.
 */
#ifndef CW_API_LIVE_TAIL_PRIV_H
#define CW_API_LIVE_TAIL_PRIV_H
#include "common/logql/ast.h"
#include "common/store/head_follow.h"
#include "querier/api/live_tail.h"
#include "querier/engine/pipeline.h"

struct live_tail {
    struct cw_coordinator_job job;
    struct cw_api *api;
    struct cw_http_request *http; /* NULL once it is answered */
    struct cw_str tenant;         /* in the arena */
    bool entered;                 /* counted in api->tails */
    bool has_buffers;             /* taken from the budget */
    struct cw_query_limits limits;
    struct cw_tail_params params;
    enum cw_tail_form form;
    struct cw_arena *arena;

    struct cw_query *query;
    struct cw_pipeline *pipeline;
    struct cw_pipeline_run *pipeline_run; /* NULL: entries are as they are */
    const struct cw_line_filter **filters;
    struct cw_head_follow *follow;
    /* What Loki says only when the WebSocket is there; code 0: nothing. */
    struct cw_err refusal;

    struct cw_http_upgraded *upgraded;
    struct cw_websocket socket;
    int64_t begin_mono_ns, pinged_mono_ns, served_mono_ns;
    int64_t alive_mono_ns;      /* when the client last showed that it is there */
    struct cw_tail_queue due;   /* may be sent */
    struct cw_tail_queue later; /* their time plus delay_for is still to come */
    struct cw_tail_drops drops;
    struct cw_buf frame, text; /* reused */
    struct cw_arena *scratch;  /* of one entry */
    struct tail_twin
        *twins; /* entries of the history that may come again; NULL: none can any more */
    size_t ntwins;
};

/* A thread's: until the connection ends. */
void live_tail_run(struct live_tail *tail);

#endif
