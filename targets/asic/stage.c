/* A stage of a net that is a pipeline, kernels/verilog/README.md under "Streams", in C, clock by clock: a datapath whose one
   instruction reads rings of bytes, and whose bytes go into the rings of the stages that read them. A net's file has above
   it what halves.c asks for and, where there is a softmax, S2C_SOFTMAX_ROW (its cycles for a row, besides three for each
   value). */
#include "halves.c"

typedef struct {
    uint32_t place, mask; /* its first byte, and its capacity, a power of two, less one */
} s2c_ring;

/* As in s2c/silicon/stream.py. frame: bytes that it reads of each operand. rings: of its operands. target, targets: the
   first ring that it writes, and how many. */
typedef struct {
    s2c_front front;
    s2c_back back;
    const s2c_roms *roms;
    int32_t lanes, results, start, frame;
    int32_t rings[2];
    int32_t target, targets;
} s2c_stage;

/* A row of a softmax: its cycle, and what its values came to so far. */
typedef struct {
    int32_t cycle, rows, most, total, factor, shift;
} s2c_softmax;

/* A stage at work. base: of its frame in its rings; written: bytes, of all frames. */
typedef struct {
    s2c_halves halves;
    s2c_softmax softmax;
    int32_t frames;
    uint32_t base, written;
} s2c_flow;

/* The ring that a step reads: of two operands, one after the other. */
S2C_INLINE const s2c_ring *s2c_source(const s2c_ring *rings, const s2c_stage *stage, const s2c_flow *flow)
{
    const int32_t operand = stage->front.unit == S2C_TABLE ? flow->halves.table : 0;
    return &rings[stage->rings[operand]];
}

/* The bytes of the step's lanes: each takes one of the first `width`. */
S2C_INLINE void s2c_read(const s2c_flow *flow, const unsigned char *memory, const s2c_ring *ring, int8_t *x,
                         int32_t lanes)
{
    const s2c_front *const front = flow->halves.front;
    const uint32_t first = (flow->base + (uint32_t)flow->halves.address) & ring->mask;
    const unsigned char *const bytes = memory + ring->place;
    int32_t low = 0;
    int32_t high = front->width;
    s2c_keep_inside(&flow->halves, &low, &high);
    if (low == 0 && high == front->width && first + (uint32_t)high - 1 <= ring->mask) {
        for (int32_t i = 0; i < lanes; i++) {
            x[i] = (int8_t)bytes[first + (uint32_t)(i & (front->width - 1))];
        }
        return;
    }
    for (int32_t i = 0; i < lanes; i++) {
        const int32_t byte = i & (front->width - 1);
        const int32_t is_real = byte >= low && byte < high;
        x[i] = (int8_t)(is_real ? bytes[(first + (uint32_t)byte) & ring->mask] : front->value);
    }
}

#ifdef S2C_SOFTMAX_ROW
enum { S2C_SCALED = 12 }; /* cycles from the last read of a value to its result at the write port */

/* The third time that a value of a row is read. */
S2C_INLINE void s2c_scale(s2c_halves *halves, s2c_softmax *row, int32_t power, int32_t is_first)
{
    if (is_first) {
        int32_t exponent;
        row->factor = s2c_reciprocal(row->total, &exponent);
        row->shift = exponent + 23 < 31 ? exponent + 23 : 31;
    }
    const int32_t y = s2c_rounding_shift(s2c_rounding_high(row->factor, power), row->shift);
    s2c_beat *const beat = &halves->beats[(halves->cycle + S2C_SCALED) % S2C_BEATS];
    beat->is_there = 1;
    beat->word = 0;
    beat->results[0] = y - 128;
}

S2C_INLINE void s2c_end_row(s2c_flow *flow)
{
    const s2c_front *const front = flow->halves.front;
    flow->softmax.cycle = 0;
    flow->softmax.rows++;
    flow->halves.address += front->size;
    if (flow->softmax.rows == front->count) {
        flow->softmax.rows = 0;
        flow->halves.has_ended = 1;
    }
}

/* A cycle of a softmax, which reads each row three times: for its largest value, the sum of the powers, the results. */
S2C_INLINE void s2c_step_softmax(s2c_flow *flow, const unsigned char *memory, const s2c_ring *ring)
{
    const s2c_front *const front = flow->halves.front;
    s2c_softmax *const row = &flow->softmax;
    const int32_t scale = 2 * front->size + S2C_SOFTMAX_ROW - S2C_SCALED;
    const int32_t at = row->cycle >= scale ? row->cycle - scale : (row->cycle - 1) % front->size;
    const uint32_t place = flow->base + (uint32_t)(flow->halves.address + at);
    const int32_t x = (int8_t)memory[ring->place + (place & ring->mask)];
    if (row->cycle == 0) {
        row->most = INT8_MIN;
        row->total = 0;
    } else if (row->cycle <= front->size) {
        row->most = x > row->most ? x : row->most;
    } else {
        const int32_t *const powers = flow->halves.roms->powers + (int64_t)front->words * 256;
        const int32_t power = powers[(row->most - x) & 0xFF];
        if (row->cycle <= 2 * front->size) {
            row->total += s2c_rounding_shift(power, 12);
        } else if (row->cycle >= scale && at < front->size) {
            s2c_scale(&flow->halves, row, power, at == 0);
        }
    }
    row->cycle++;
    if (row->cycle == 3 * front->size + S2C_SOFTMAX_ROW) {
        s2c_end_row(flow);
    }
}
#endif

S2C_INLINE void s2c_clock_front(const s2c_ring *rings, const s2c_stage *stage, s2c_flow *flow,
                                const unsigned char *memory, int32_t lanes, int32_t results)
{
    if (flow->halves.idle > 0) {
        flow->halves.idle--;
        return;
    }
    if (flow->halves.has_ended) {
        return;
    }
    const s2c_ring *const ring = s2c_source(rings, stage, flow);
#ifdef S2C_SOFTMAX_ROW
    if (stage->front.unit == S2C_SOFTMAX) {
        s2c_step_softmax(flow, memory, ring);
        return;
    }
#endif
    int8_t x[S2C_LANES];
    s2c_read(flow, memory, ring, x, lanes);
    s2c_step(&flow->halves, x, lanes, results);
}

S2C_INLINE void s2c_write(const s2c_ring *rings, const s2c_stage *stage, s2c_flow *flow,
                          unsigned char *memory, const s2c_beat *beat, int32_t results)
{
    unsigned char bytes[S2C_RESULTS];
    const int32_t count = s2c_give(&flow->halves, beat, bytes, results);
    for (int32_t i = 0; i < stage->targets; i++) {
        const s2c_ring *const ring = &rings[stage->target + i];
        for (int32_t j = 0; j < count; j++) {
            memory[ring->place + ((flow->written + (uint32_t)j) & ring->mask)] = bytes[j];
        }
    }
    flow->written += (uint32_t)count;
    (void)s2c_end_writes(&flow->halves, count);
}

S2C_INLINE void s2c_clock_back(const s2c_ring *rings, const s2c_stage *stage, s2c_flow *flow,
                               unsigned char *memory, int32_t results)
{
    s2c_halves *const halves = &flow->halves;
    s2c_beat *const beat = &halves->beats[halves->cycle % S2C_BEATS];
    if (s2c_is_due(halves)) {
        if (halves->tiles_left == 0) {
            s2c_begin_call(halves);
        }
        s2c_accept(halves);
    }
    if (halves->drain != 0) {
        s2c_drain(halves, results);
    }
    if (beat->is_there) {
        beat->is_there = 0;
        s2c_write(rings, stage, flow, memory, beat, results);
    }
    halves->cycle++;
}
