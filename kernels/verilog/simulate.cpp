// Runs a chip under Verilator: FILE RUNS INPUT_BYTES OUTPUT_BYTES LIMIT STALL STREAM. FILE holds the inputs of all runs. Of each run a
// line: `result`, its outputs, in hexadecimals, its cycles: from the one that takes the last byte up to the one in which it is no longer
// busy; and those since the last byte of the result before, or 0. LIMIT: cycles of a run behind which it has failed, and is the last.
// STALL: bytes come and go only now and then. STREAM: the next run's bytes come at once, and not only when the outputs are there: then
// the first number says nothing.
#include "Vchip.h"
#include "verilated.h"
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

struct Bench {
    VerilatedContext context;
    Vchip chip{&context};
    unsigned long now = 0;

    // The end of a cycle whose inputs are set and whose outputs have been read.
    void step()
    {
        chip.clock = 1;
        chip.eval();
        chip.clock = 0;
        chip.eval();
        now++;
    }

    void restart()
    {
        chip.reset = 1;
        for (int cycle = 0; cycle < 4; cycle++) {
            step();
        }
        chip.reset = 0;
    }
};

// From the cycle that takes a run's last byte up to the one in which the chip is no longer busy.
struct Stopwatch {
    long cycles = 0;
    bool running = false;

    void start()
    {
        cycles = 1;
        running = true;
    }

    void see(bool busy)
    {
        running = running && busy;
        cycles += running;
    }
};

} // namespace

int main(int count, char **words)
{
    if (count < 8) {
        return 2;
    }
    const long runs = std::atol(words[2]), input_bytes = std::atol(words[3]), output_bytes = std::atol(words[4]);
    const unsigned long limit = std::atol(words[5]);
    const bool stall = std::atoi(words[6]) != 0, stream = std::atoi(words[7]) != 0;
    std::vector<unsigned char> input(runs * input_bytes);
    std::FILE *file = std::fopen(words[1], "rb");
    if (file == nullptr || std::fread(input.data(), 1, input.size(), file) != input.size()) {
        return 2;
    }
    std::fclose(file);
    Bench bench;
    Stopwatch watch;
    bench.restart();
    unsigned long began = bench.now, before = 0;
    long given = 0, taken = 0, done = 0;
    while (done < runs && bench.now - began < limit) {
        const long allowed = (stream ? runs : done + 1) * input_bytes;
        bench.chip.in_valid = given < allowed && (!stall || bench.now % 3 == 0);
        bench.chip.in_data = given < allowed ? input[given] : 0;
        bench.chip.out_ready = !stall || bench.now % 3 == 1;
        bench.chip.eval();
        watch.see(bench.chip.busy);
        if (bench.chip.in_valid && bench.chip.in_ready && ++given % input_bytes == 0) {
            watch.start();
        }
        if (bench.chip.out_valid && bench.chip.out_ready) {
            std::printf(taken == 0 ? "result %02x" : "%02x", bench.chip.out_data);
            if (++taken == output_bytes) {
                std::printf(" %ld %ld\n", watch.cycles, done == 0 ? 0 : (long)(bench.now - before));
                std::fflush(stdout);
                before = began = bench.now;
                taken = 0;
                done++;
            }
        }
        bench.step();
    }
    if (done < runs) {
        std::printf("%s %ld 0\n", taken == 0 ? "result " : "", watch.cycles);
    }
    return 0;
}
