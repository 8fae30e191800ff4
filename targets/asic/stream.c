/* A net as a pipeline of stages, kernels/verilog/README.md under "Streams", in C, clock by clock. A stage is a datapath whose one
   instruction reads rings of bytes; what it gives goes, byte by byte, into the rings of the stages that read it.
   A net's file has its stages and ROMs below, and above it what halves.c asks for, S2C_STAGES, S2C_FRAMES (that may be
   launched and not yet wholly sent), S2C_ARENA (bytes with the inputs and outputs; the rings' and those to work in come
   behind), S2C_RINGS (bytes), S2C_EACH_SIZE (of(lanes, results) for each that a stage has) and, where there is a softmax,
   S2C_SOFTMAX_ROW (its cycles for a row, besides three for each value).

   In a cycle all reads come before all writes. A stage that starts too early, or a ring that is too small, gives wrong
   bytes here, too. */
#include "stage.c"

enum { S2C_KINDS = 3 }; /* of frames that are told apart */

/* An input or output: where the arena has it; the first ring that it is written to, and how many, or the one that it is
   read from. */
typedef struct {
    int32_t offset, bytes, ring, rings;
} s2c_port;

typedef struct {
    const s2c_ring *rings;
    const s2c_stage *stages;
    const s2c_port *inputs, *outputs;
    int32_t input_bytes, output_bytes; /* of a frame */
    int32_t interval, finish;
} s2c_net;

/* In cycle 0 the first byte comes. taken: bytes of the frame that is coming; sending: of that which goes. byte: the last
   that came, which a cycle later stands at the write ports of port's rings; then port is 0. */
typedef struct {
    const s2c_net *net;
    unsigned char *memory;
    int64_t cycle;
    int64_t launches[S2C_FRAMES];
    int32_t launched, sent, taken, sending;
    const s2c_port *port;
    uint32_t place;
    unsigned char byte;
    s2c_flow flows[S2C_STAGES];
} s2c_stream;

S2C_INLINE void s2c_reset(s2c_stream *stream, const s2c_net *net, unsigned char *memory)
{
    stream->net = net;
    stream->memory = memory;
    stream->cycle = 0;
    stream->launched = 0;
    stream->sent = 0;
    stream->taken = 0;
    stream->sending = 0;
    stream->port = 0;
    for (int32_t i = 0; i < S2C_STAGES; i++) {
        s2c_flow *const flow = &stream->flows[i];
        s2c_reset_halves(&flow->halves, net->stages[i].roms);
        flow->halves.has_ended = 1;
        flow->halves.idle = 0;
        flow->halves.back = &net->stages[i].back;
        s2c_begin_writes(&flow->halves);
        flow->frames = 0;
        flow->base = 0;
        flow->written = 0;
    }
}

/* The first step of a frame comes a fixed number of cycles behind its launch. */
S2C_INLINE void s2c_start(s2c_stream *stream, const s2c_stage *stage, s2c_flow *flow)
{
    if (flow->frames == stream->launched) {
        return;
    }
    if (stream->cycle == stream->launches[flow->frames % S2C_FRAMES] + stage->start) {
        flow->base = (uint32_t)flow->frames * (uint32_t)stage->frame;
        flow->frames++;
        s2c_load(&flow->halves, &stage->front);
        flow->softmax.cycle = 0;
        flow->softmax.rows = 0;
    }
}

S2C_INLINE void s2c_clock_stage(s2c_stream *stream, int32_t index, int32_t lanes, int32_t results)
{
    const s2c_stage *const stage = &stream->net->stages[index];
    s2c_flow *const flow = &stream->flows[index];
    s2c_start(stream, stage, flow);
    s2c_clock_front(stream->net->rings, stage, flow, stream->memory, lanes, results);
    s2c_clock_back(stream->net->rings, stage, flow, stream->memory, results);
}

#define S2C_SIZE(lanes, results) ((lanes) * 64 + (results))
#define S2C_CLOCK_SIZE(lanes, results)                                                                       \
    case S2C_SIZE(lanes, results):                                                                           \
        s2c_clock_stage(stream, i, lanes, results);                                                          \
        break;

/* The last stage first: none writes what it reads itself or what an earlier one reads. */
S2C_LAYER void s2c_clock_stages(s2c_stream *stream)
{
    for (int32_t i = S2C_STAGES - 1; i >= 0; i--) {
        const s2c_stage *const stage = &stream->net->stages[i];
        switch (S2C_SIZE(stage->lanes, stage->results)) {
            S2C_EACH_SIZE(S2C_CLOCK_SIZE)
        default:
            break;
        }
    }
}

/* A frame goes when it is all there, the last one went `interval` cycles ago, and the outputs have room. */
S2C_INLINE void s2c_launch(s2c_stream *stream)
{
    const s2c_net *const net = stream->net;
    const int32_t has_room = stream->launched - stream->sent < S2C_FRAMES;
    const int32_t may_follow =
        stream->launched == 0 ||
        stream->cycle - stream->launches[(stream->launched - 1) % S2C_FRAMES] >= net->interval;
    if (stream->taken == net->input_bytes && has_room && may_follow) {
        stream->launches[stream->launched % S2C_FRAMES] = stream->cycle;
        stream->launched++;
        stream->taken = 0;
    }
}

/* Into the rings: the byte that the cycle before took. */
S2C_INLINE void s2c_keep(s2c_stream *stream)
{
    if (stream->port == 0) {
        return;
    }
    for (int32_t i = 0; i < stream->port->rings; i++) {
        const s2c_ring *const ring = &stream->net->rings[stream->port->ring + i];
        stream->memory[ring->place + (stream->place & ring->mask)] = stream->byte;
    }
    stream->port = 0;
}

/* The next byte of the frame that is coming, if there is room for it: bits are others where flip has them. */
S2C_INLINE void s2c_take(s2c_stream *stream, const unsigned char *arena, unsigned char flip)
{
    if (stream->taken == stream->net->input_bytes) {
        return;
    }
    const s2c_port *port = stream->net->inputs;
    int32_t at = stream->taken;
    while (at >= port->bytes) {
        at -= port->bytes;
        port++;
    }
    stream->port = port;
    stream->place = (uint32_t)stream->launched * (uint32_t)port->bytes + (uint32_t)at;
    stream->byte = arena[port->offset + at] ^ flip;
    stream->taken++;
}

/* Byte `at` of a frame's outputs, one output after the other. */
S2C_INLINE unsigned char s2c_output(const s2c_stream *stream, int32_t frame, int32_t at)
{
    const s2c_port *port = stream->net->outputs;
    while (at >= port->bytes) {
        at -= port->bytes;
        port++;
    }
    const s2c_ring *const ring = &stream->net->rings[port->ring];
    const uint32_t place = (uint32_t)frame * (uint32_t)port->bytes + (uint32_t)at;
    return stream->memory[ring->place + (place & ring->mask)];
}

/* Whether all of the frame that is sent next can be read. */
S2C_INLINE int32_t s2c_is_finished(const s2c_stream *stream)
{
    return stream->sent < stream->launched &&
           stream->cycle >= stream->launches[stream->sent % S2C_FRAMES] + stream->net->finish;
}

/* One frame alone, and all its outputs in the cycle from which on the chip says that they are there: that cycle, where
   cycle 0 took the last byte. */
S2C_LAYER int32_t s2c_run_alone(const s2c_net *net, unsigned char *arena, unsigned char flip,
                                unsigned char *outputs)
{
    s2c_stream stream;
    s2c_reset(&stream, net, arena + S2C_ARENA);
    for (;;) {
        s2c_launch(&stream);
        if (s2c_is_finished(&stream)) {
            break;
        }
        s2c_clock_stages(&stream);
        s2c_keep(&stream);
        if (stream.launched == 0) {
            s2c_take(&stream, arena, flip);
        }
        stream.cycle++;
    }
    for (int32_t i = 0; i < net->output_bytes; i++) {
        outputs[i] = s2c_output(&stream, 0, i);
    }
    return (int32_t)(stream.cycle - (net->input_bytes - 1));
}

/* An inference: the cycle from which on the chip says that it is done. */
S2C_INLINE int32_t s2c_count_cycles(const s2c_net *net, unsigned char *arena)
{
    const unsigned char *byte = arena + S2C_ARENA + S2C_RINGS;
    const int32_t cycles = s2c_run_alone(net, arena, 0, arena + S2C_ARENA + S2C_RINGS);
    int32_t left = net->output_bytes;
    for (const s2c_port *port = net->outputs; left > 0; port++) {
        for (int32_t i = 0; i < port->bytes; i++) {
            arena[port->offset + i] = *byte++;
        }
        left -= port->bytes;
    }
    return cycles;
}

/* Frames without a pause, each of other bytes than the one before, and so many that all is under way at once: the most
   cycles from the end of one to the end of the next, or 0 where one gives other bytes than alone. */
S2C_INLINE int32_t s2c_count_interval(const s2c_net *net, unsigned char *arena)
{
    static const unsigned char flips[S2C_KINDS] = {0x00, 0xFF, 0x55};
    unsigned char *const wanted = arena + S2C_ARENA + S2C_RINGS;
    for (int32_t i = 0; i < S2C_KINDS; i++) {
        (void)s2c_run_alone(net, arena, flips[i], wanted + i * net->output_bytes);
    }
    s2c_stream stream;
    s2c_reset(&stream, net, arena + S2C_ARENA);
    int64_t last = 0;
    int64_t most = 0;
    int32_t differs = 0;
    while (stream.sent < S2C_FRAMES + 3) {
        s2c_launch(&stream);
        if (s2c_is_finished(&stream)) {
            const int32_t at = stream.sent % S2C_KINDS * net->output_bytes + stream.sending;
            differs |= s2c_output(&stream, stream.sent, stream.sending) ^ wanted[at];
            stream.sending++;
            if (stream.sending == net->output_bytes) {
                most = stream.sent > 0 && stream.cycle - last > most ? stream.cycle - last : most;
                last = stream.cycle;
                stream.sending = 0;
                stream.sent++;
            }
        }
        s2c_clock_stages(&stream);
        s2c_keep(&stream);
        s2c_take(&stream, arena, flips[stream.launched % S2C_KINDS]);
        stream.cycle++;
    }
    return differs ? 0 : (int32_t)most;
}
