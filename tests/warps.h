// CUDA's words on a host, put in front of a kernel's source: a warp's 32 lanes are coroutines. A lane runs to the next
// barrier, then another, in an order that changes from one to the next, so that what needs a barrier and has none
// gives wrong results; where lanes do not all come to the same barrier the launch fails.

#include <math.h>
#include <setjmp.h>
#include <ucontext.h>

#define __CUDACC__
#define __device__
#define __forceinline__ inline
#define __global__
#define __longlong_as_double(bits) HUGE_VAL  // infinity is all that is ever made so

struct Place { int x; };
static Place threadIdx, blockIdx, blockDim, gridDim;

namespace warps {

constexpr int SIZE = 32, STACK = 1 << 16;
enum { DONE = -1, SYNCHRONISED = 0 };  // what a lane waits for; in a shuffle, its distance

static jmp_buf host, lanes[SIZE];
static ucontext_t contexts[SIZE], start;
static char stacks[SIZE][STACK];
static bool alive = false;
static void (*work)(void *);
static void *given;  // all lanes do the same, with the same
static int current, arrived, reasons[SIZE], first_thread;
static unsigned order;
static double sent[2][SIZE];
static int shuffles[SIZE];

// Odd times the turn, and a start: all lanes, each once.
static int lane_of_turn(int turn) { return ((order >> 8 | 1) * turn + (order >> 16)) % SIZE; }

static void wait(int reason) {
    if (_setjmp(lanes[current]) == 0) {  // the lane goes on here when its turn comes
        reasons[current] = reason;
        if (++arrived == SIZE) {
            for (int other : reasons)
                if (other != reason) _longjmp(host, 2);
            if (reason == DONE) _longjmp(host, 1);
            arrived = 0;
            order = order * 1664525u + 1013904223u;
        }
        current = lane_of_turn(arrived);
        _longjmp(lanes[current], 1);
    }
    threadIdx.x = first_thread + current;
}

static void live() {
    const int lane = current;  // a lane's first turn ends before it has worked
    if (_setjmp(lanes[lane]) == 0) swapcontext(&contexts[lane], &start);
    while (true) {
        threadIdx.x = first_thread + lane;
        work(given);
        wait(DONE);
    }
}

static void begin() {
    for (current = 0; current < SIZE; ++current) {
        getcontext(&contexts[current]);
        contexts[current].uc_stack = {stacks[current], 0, STACK};
        makecontext(&contexts[current], live, 0);
        swapcontext(&start, &contexts[current]);
    }
    alive = true;
}

static bool run_warp() {
    if (!alive) begin();
    arrived = 0;
    for (int &count : shuffles) count = 0;
    int outcome = _setjmp(host);
    if (outcome == 0) {
        current = lane_of_turn(0);
        _longjmp(lanes[current], 1);
    }
    alive = outcome == 1;  // lanes left at different places are of no further use
    return alive;
}

// A kernel as a function that says whether its lanes kept together.
template <auto kernel> struct Launched;
template <typename... Types, void (*kernel)(Types...)> struct Launched<kernel> {
    static bool run(int blocks, int threads, Types... arguments) {
        auto call = [=] { kernel(arguments...); };
        work = [](void *of) { (*static_cast<decltype(call) *>(of))(); };
        given = &call;
        gridDim.x = blocks, blockDim.x = threads, order = 0x9e3779b9u;
        for (blockIdx.x = 0; blockIdx.x < blocks; ++blockIdx.x)
            for (first_thread = 0; first_thread < threads; first_thread += SIZE)
                if (!run_warp()) return false;
        return true;
    }
};

}  // namespace warps

#define LAUNCHED(kernel) extern "C" { void *launched_##kernel = (void *)warps::Launched<kernel>::run; }

static inline void __syncwarp() { warps::wait(warps::SYNCHRONISED); }

static inline double __shfl_xor_sync(unsigned, double x, int distance) {
    const int lane = warps::current;
    double *slots = warps::sent[warps::shuffles[lane]++ % 2];  // two by turns: a lane may be one shuffle ahead
    slots[lane] = x;
    warps::wait(distance);
    return slots[lane ^ distance];
}
