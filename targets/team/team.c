/* Each shared call is a stage. The thread that runs the net counts it up, and whoever is awake takes parts: the own one
   first, then what nobody else has taken. So a thread that the system has set aside holds nobody up, unless it was in the
   middle of a part. Which thread computes a part changes nothing in its result. */
#define _GNU_SOURCE
#include "net_team.h"

#include <sched.h>

#define LONG_WAIT 4000    /* looks, after which a waiting thread lets others onto its core */
#define SLEEP_AFTER 40000 /* looks, after which a thread without work sleeps */

static void pause_briefly(void)
{
#if defined(__x86_64__)
    __asm__ volatile("pause");
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static uint64_t look(const uint64_t *value)
{
    return __atomic_load_n(value, __ATOMIC_ACQUIRE);
}

/* Takes parts of a stage until none is left. A part's claim goes up by one in each stage, so that a thread that comes
   too late finds it taken. */
static void help(net_team *team, uint64_t stage, int32_t own)
{
    for (int32_t i = 0; i < NET_THREADS; i++) {
        const int32_t part = (own + i) % NET_THREADS;
        uint64_t before = stage - 1;
        if (__atomic_compare_exchange_n(&team->claims[part].value, &before, stage, 0, __ATOMIC_ACQ_REL,
                                        __ATOMIC_RELAXED)) {
            net_part(team->arena, (int32_t)((stage - 1) % NET_STAGES), part);
            (void)__atomic_fetch_add(&team->done.value, 1, __ATOMIC_RELEASE);
        }
    }
}

static void sleep_until_called(net_team *team, uint64_t seen)
{
    (void)pthread_mutex_lock(&team->lock);
    (void)__atomic_fetch_add(&team->sleeping, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&team->stage.value, __ATOMIC_SEQ_CST) == seen) {
        (void)pthread_cond_wait(&team->wake, &team->lock);
    }
    (void)__atomic_fetch_sub(&team->sleeping, 1, __ATOMIC_SEQ_CST);
    (void)pthread_mutex_unlock(&team->lock);
}

static uint64_t wait_for_call(net_team *team, uint64_t seen)
{
    for (int32_t looks = 0; look(&team->stage.value) == seen; looks++) {
        if (looks == SLEEP_AFTER) {
            sleep_until_called(team, seen);
            break;
        }
        if (looks % LONG_WAIT == LONG_WAIT - 1) {
            (void)sched_yield();
        }
        pause_briefly();
    }
    return look(&team->stage.value);
}

static void *work(void *argument)
{
    const net_member *member = argument;
    net_team *team = member->team;
    uint64_t seen = 0;
    for (;;) {
        seen = wait_for_call(team, seen);
        if (__atomic_load_n(&team->ends, __ATOMIC_ACQUIRE) != 0) {
            return argument;
        }
        help(team, seen, member->part);
    }
}

static uint64_t call_threads(net_team *team)
{
    const uint64_t stage = __atomic_add_fetch(&team->stage.value, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&team->sleeping, __ATOMIC_SEQ_CST) > 0) {
        (void)pthread_mutex_lock(&team->lock);
        (void)pthread_cond_broadcast(&team->wake);
        (void)pthread_mutex_unlock(&team->lock);
    }
    return stage;
}

void net_team_run(net_team *team, void *arena)
{
    team->arena = arena;
    for (int32_t i = 0; i < NET_STAGES; i++) {
        net_between(arena, i);
        const uint64_t stage = call_threads(team);
        help(team, stage, 0);
        for (int32_t looks = 0; look(&team->done.value) != stage * NET_THREADS; looks++) {
            if (looks == LONG_WAIT) {
                looks = 0;
                (void)sched_yield();
            }
            pause_briefly();
        }
    }
    net_between(arena, NET_STAGES);
}

void net_team_stop(net_team *team)
{
    __atomic_store_n(&team->ends, 1, __ATOMIC_RELEASE);
    (void)call_threads(team);
    for (int32_t i = 1; i < team->started; i++) {
        (void)pthread_join(team->threads[i], NULL);
    }
    (void)pthread_cond_destroy(&team->wake);
    (void)pthread_mutex_destroy(&team->lock);
}

int net_team_start(net_team *team)
{
    team->stage.value = 0;
    team->done.value = 0;
    team->ends = 0;
    team->sleeping = 0;
    team->arena = NULL;
    (void)pthread_mutex_init(&team->lock, NULL);
    (void)pthread_cond_init(&team->wake, NULL);
    for (team->started = 1; team->started < NET_THREADS; team->started++) {
        team->claims[team->started].value = 0;
        team->members[team->started].team = team;
        team->members[team->started].part = team->started;
        const int failed =
            pthread_create(&team->threads[team->started], NULL, work, &team->members[team->started]);
        if (failed != 0) {
            net_team_stop(team);
            return failed;
        }
    }
    team->claims[0].value = 0;
    return 0;
}

uint64_t net_team_bytes(void)
{
    return sizeof(net_team);
}
