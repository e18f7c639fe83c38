/* fast_replica.h: one replica of the fast engine: its running set, its queue and its KV cache.
 *
 * Between two changes of the running set the decode steps of a batch are an arithmetic progression,
 * so a whole run of them has a closed form (docs/model.md, formulas 5 and 6) and is one event. A
 * run under way can be cut short at the end of any of its steps, when something happens that could
 * change the running set there; a cut where nothing changes splits a run in two and changes no
 * result. */
#ifndef LLMSIM_SIM_FAST_REPLICA_H
#define LLMSIM_SIM_FAST_REPLICA_H

#include "ending_wheel.h"
#include "run.h"

/* What is kept of a request that was preempted or moved: the tokens that it had made, which stay
 * made. */
struct history {
    int64_t scheduled_ns;     /* start of the request's first step */
    uint32_t prefill_replica; /* where that was */
    uint32_t n_preemptions;
    uint32_t cached_tokens;
    uint32_t n_segments;
    llmsim_time last_token;                 /* of the last segment */
    llmsim_time decode_time;                /* of all segments */
    struct llmsim_token_segment segments[]; /* room for one more than there are */
};

/* A request that has run and is in no running set: preempted, or on its way to another replica. */
struct away {
    struct llmsim_request request;
    struct history *history;
    uint32_t n_generated;
    struct prefix_hold hold;       /* of the prefill replica that it leaves */
    uint32_t to;                   /* the replica that it will run on */
    enum llmsim_segment_kind kind; /* of its next segment: how it comes back */
};

/* First in, first out. A zeroed struct is empty. */
struct away_queue {
    struct away *items; /* n of them, from `first` on */
    size_t first, n, capacity;
};
LLMSIM_MUST_CHECK enum llmsim_status
llmsim_away_put(struct away_queue *queue, const struct away *away, struct llmsim_error *err);
static inline struct away *llmsim_away_head(const struct away_queue *queue)
{
    return queue->n > 0 ? &queue->items[queue->first] : NULL;
}
struct away llmsim_away_take(struct away_queue *queue);
void llmsim_away_fini(struct away_queue *queue); /* frees the histories, too */

/* A running request, in two lines of the cache: what only a limited KV cache asks for is in
 * struct slot_blocks. */
struct slot {
    struct llmsim_request request;
    int64_t scheduled_ns;
    /* Since it came, or came back: */
    uint64_t first_decode_step;
    llmsim_time since; /* when its token came that was the latest then */
    llmsim_time decode_time_at_start;
    int64_t gap_ns;           /* after a preemption or a move: see struct llmsim_token_segment */
    struct history *history;  /* NULL: never preempted, never moved */
    uint32_t tokens_at_start; /* made by then, that of the prefill included */
    uint32_t next;            /* in its bucket of the wheel */
    uint32_t cached_tokens;
    uint8_t kind; /* enum llmsim_segment_kind */
    bool is_running;
};
_Static_assert(sizeof(struct slot) <= 128, "two lines");

struct slot_blocks {
    uint64_t admission;
    struct prefix_hold hold;
};

struct replica {
    struct run *run;
    uint32_t index;
    bool only_prefills;  /* requests leave with their first token */
    bool tracks_longest; /* its steps with prompts and decodes cost by longest_context */
    bool swaps;          /* when it preempts */
    bool trace_is_queue; /* first come, first served on one replica */
    const struct llmsim_decode_cost *decode_costs; /* by the number of sequences; shared */
    struct boundary boundary;
    struct prefix_cache prefixes;
    llmsim_time now;              /* the end of its last step, or when it was last woken */
    struct llmsim_step_run *step; /* under way; NULL: none */
    uint64_t event;               /* of the end of that step, in the queue of events */
    uint64_t n_steps;

    void *slot_memory;
    struct slot *slots; /* in it */
    struct slot_blocks *slot_blocks;
    uint32_t *free_slots; /* a stack: those from n_running on are free */
    uint32_t n_running;   /* that decode */
    uint32_t n_reported;  /* of them, those that will be reported */
    struct ending_wheel wheel;
    uint32_t *due; /* room to turn a bucket's list round */

    struct waiting waiting; /* requests that have not run */
    struct away *preempted; /* a stack: the last goes first */
    uint32_t n_preempted;
    /* Preempted since the policy was asked: it may find its prompt in the prefix cache, brought by
     * another, and be admitted at the very next boundary. */
    bool head_is_new;
    struct away_queue incoming; /* moved here */
    struct away *joining;       /* their KV cache comes back in the swap step under way */
    uint32_t n_joining;
    struct away *departed; /* in the step that has just ended, of a replica that only prefills */
    uint32_t n_departed;
    uint64_t n_outstanding;  /* requests sent here that have not left */
    uint64_t waiting_tokens; /* that those wait for who do not run */

    uint64_t decode_step;    /* decode steps done */
    llmsim_time decode_time; /* of them, each as if no prompt had been beside it */
    uint64_t context_tokens; /* that the next decode step would read */
    /* Of them, those of the request that has most, less decode_step; an upper bound of that while
     * it is not known, because whose it was has left. */
    int64_t longest_extra;
    bool knows_longest;
    llmsim_time previous_decode_end;
    struct llmsim_gap *gaps; /* of requests that have come since the last decode step */
    size_t n_gaps;
    /* KV cache. All running requests store one token a step, so (stored tokens - decode steps done)
     * modulo the block size stays what it is for as long as a request runs; counted here, it says
     * how many requests need a new block in any step to come. */
    uint32_t *residues;
    uint64_t swapped_blocks; /* that the next step is to copy, in and out */
    /* Reused, because most of their members never change. */
    struct llmsim_step_run prefill_step, decode_steps, swap_step;
};

/* LLMSIM_RUN_FAILED: out of memory; fini is due all the same. */
LLMSIM_MUST_CHECK enum llmsim_status
llmsim_replica_init(struct replica *r, struct run *run, uint32_t index,
                    const struct llmsim_decode_cost *decode_costs);
void llmsim_replica_fini(struct replica *r);

/* A request arrives at the queue. */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_replica_put(struct replica *r,
                                                        const struct llmsim_request *request);
/* A departed request's KV cache has gone. */
void llmsim_replica_free_departed(struct replica *r, struct away *away);

/* At a step boundary: form the next step and set r->step, or leave it NULL. A run of decode steps
 * goes to the next completion, or as far as there are KV blocks. */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_replica_begin_step(struct replica *r);
/* The step under way ends: what it made is made, who has all tokens is put to the run's `ended`. */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_replica_end_step(struct replica *r);

/* Would somebody who comes in the middle of the run of decode steps that is under way be admitted
 * at its next boundary? Yes may be wrong. */
static inline bool llmsim_replica_admits(const struct replica *r)
{
    /* Behind a head that has to wait nobody is admitted, unless he would go ahead of it. */
    bool may_be_next =
        r->n_preempted == 0 && (r->boundary.head == NULL || r->run->order->key != NULL);
    return may_be_next && r->run->policy->admits(&r->boundary);
}
/* Let the run of decode steps under way end with the first step that ends at `time` or later. */
void llmsim_replica_cut_decodes(struct replica *r, llmsim_time time);
static inline void llmsim_replica_cut(struct replica *r, llmsim_time time)
{
    if (r->step == &r->decode_steps && time < r->step->end)
        llmsim_replica_cut_decodes(r, time);
}
/* Let it end with the last step that ends at `time` or earlier; false if none does. */
bool llmsim_replica_cut_before(struct replica *r, llmsim_time time);

/* Tokens of KV cache of its running requests at `now`, and those that its waiting ones need. */
uint64_t llmsim_replica_kv_tokens(const struct replica *r, llmsim_time now);
/* Tokens of a request's prompt that the prefix cache has at `now`. */
uint64_t llmsim_replica_cached_tokens(struct replica *r, const struct llmsim_request *request,
                                      llmsim_time now);
/* The first decode step that a request of this replica may still refer to. */
uint64_t llmsim_replica_oldest_decode_step(const struct replica *r);
static inline uint64_t
llmsim_oldest_decode_step(uint64_t least, const struct llmsim_token_segment *segments, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (segments[i].kind != LLMSIM_SEGMENT_PREFILL || segments[i].n_tokens > 1)
            return segments[i].first_decode_step < least ? segments[i].first_decode_step : least;
    return least;
}

/* The window that is looked at has closed: put everybody who has begun to the run's `ended`, as
 * unfinished. The waiting queue stays. */
void llmsim_replica_put_unfinished(struct replica *r, llmsim_time now);
/* After that: report those who wait, in the order of the queue. */
LLMSIM_MUST_CHECK enum llmsim_status llmsim_replica_end_waiting(struct replica *r);
/* The same for a queue of requests that are on their way. */
void llmsim_away_put_unfinished(struct away_queue *queue, struct run *run, llmsim_time now);

#endif
