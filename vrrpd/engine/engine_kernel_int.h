/*
 * engine_kernel_int.h - what the files of the kernel thread share: its object, and its three fields of work.
 *
 * engine_kernel.c is the thread and its channels; engine_wishes.c is what it does in one turn; engine_addresses.c puts
 * addresses into the kernel and takes them out; engine_ports.c watches interfaces and opens sockets.
 */
#ifndef VRRPD_ENGINE_ENGINE_KERNEL_INT_H
#define VRRPD_ENGINE_ENGINE_KERNEL_INT_H

#include "engine/engine.h"

#define KERNEL_SLICE 256 /* addresses between two looks at the queue */

struct kernel_wish {
	bool queued;
	uint8_t want; /* enum kernel_want */
	uint32_t epoch;
};

/* What the thread keeps for one generation; sized when it comes. */
struct kernel_books {
	struct kernel_wish *wishes; /* per instance; shared */
	uint32_t *queue;	    /* instances with a wish, a ring; shared */
	int *port_ifindex;	    /* per port: interface its sockets are open on, 0 = none */
	struct kernel_answer *told; /* per watch: what was last told */
};

struct engine_kernel {
	struct engine_gen *gen; /* the thread's; the advert loop has its own pointer */
	pthread_t thread;
	/* advert loop's side */
	struct loop_io *io;
	engine_kernel_fn *fn;
	void *arg;
	int answers; /* SOCK_SEQPACKET */
	bool switching;
	usec_t renew_interval;
	/* shared */
	pthread_mutex_t lock; /* with priority inheritance; held for a few instructions */
	struct kernel_books books;
	uint32_t n_instances; /* of the books */
	uint32_t head, n_queued;
	struct engine_gen *next; /* go over to it */
	struct kernel_books next_books;
	bool quit;
	bool renew;	   /* a round of renewals is wanted */
	int wake;	   /* eventfd */
	int close_pipe[2]; /* descriptors to close, as ints */
	/* thread's side */
	int answers_out;
	struct nlk_batch *batch;
	struct nlk_cache *cache;
	struct nlk_diag *diag;
	int diag_err;	 /* why there is none; told once */
	bool changed;	 /* links or addresses changed since the last look */
	bool lost;	 /* some address has `lost` set */
	bool port_retry; /* some port could not be opened */
	bool port_told;	 /* that has been logged */
	mono_t retry_at; /* when it is tried again */
	size_t n_ops;	 /* of the slice being put together */
	struct nlk_addr_op ops[KERNEL_SLICE];
	struct engine_place places[KERNEL_SLICE]; /* which address of which instance an op is about */
	struct nlk_diag_addr victims[KERNEL_SLICE];
	uint32_t renew_instance, renew_address; /* where the round is; instance n_instances: none */
};

/* ---- engine_kernel.c ---- */

/* Tell the advert loop; waits while that is behind. */
void kernel_answer(struct engine_kernel *k, const struct kernel_answer *a);

/* There is something to do: the thread takes a turn. */
void kernel_wake(struct engine_kernel *k);

/* ---- engine_wishes.c ---- */

/* "what name: error" for the log. */
void kernel_trouble(struct engine_kernel *k, const char *what, const char *name, int err);

/* An nlk_change_fn, with the thread's object as its argument. */
void kernel_on_change(void *arg, enum nlk_change what, const struct nlk_link *link, const struct nlk_addr *addr);

/* Room for what is kept of this generation. 0 or -ENOMEM. */
int kernel_make_books(const struct engine_gen *g, struct kernel_books *ret);
void kernel_free_books(struct kernel_books *b);

/* How often the lifetimes of this generation's addresses want renewing, microseconds; 0 = never. */
usec_t kernel_renew_interval(const struct engine_gen *g);

/* The thread's first turn: look at everything, sort what an earlier life left, tell. */
void kernel_begin(struct engine_kernel *k);

/* One turn: all that is wanted now; `news`: the cache's descriptor is readable. 0, or -errno: netlink is of no more use. */
int kernel_turn(struct engine_kernel *k, bool news);

/* ---- engine_addresses.c ---- */

/* The lifetime that addresses get in seconds, NLK_FOREVER without. */
uint32_t kernel_lifetime_s(const struct engine_gen *g);

void kernel_acquire(struct engine_kernel *k, struct engine_instance *i, uint32_t epoch);
void kernel_release(struct engine_kernel *k, struct engine_instance *i, uint32_t epoch);
void kernel_heal(struct engine_kernel *k, struct engine_instance *i);

/* What an earlier life left: adopt what a resumed instance needs, remove the rest. */
void kernel_sort_leftovers(struct engine_kernel *k);

/* An address appeared, changed or went (NULL: events were lost, look at all of them). */
void kernel_note_address(struct engine_kernel *k, enum nlk_change what, const struct nlk_addr *a);

/* Tell the advert loop which instances lost addresses. */
void kernel_tell_lost(struct engine_kernel *k);

/* Take over what the old generation holds, remove what the new one does not have. k->gen is still the old one. */
void kernel_move_addresses(struct engine_kernel *k, struct engine_gen *next);

bool kernel_renewing(const struct engine_kernel *k);
void kernel_begin_renewal(struct engine_kernel *k);
void kernel_renew_some(struct engine_kernel *k); /* one slice of the running round */

/* ---- engine_ports.c ---- */

/* The interface index of a watch now, 0 = it does not exist. */
int kernel_ifindex(const struct engine_kernel *k, uint32_t watch);

/* Look at every port and watch; tell what changed. */
void kernel_look(struct engine_kernel *k);

#endif
