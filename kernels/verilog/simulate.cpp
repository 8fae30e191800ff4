// Runs a chip under Verilator: FILE RUNS INPUT_BYTES OUTPUT_BYTES LIMIT STALL. FILE holds the inputs of all runs. Of each run a line:
// `result`, its outputs, in hexadecimals, and its cycles: from the one that takes the last byte up to the one in which it is no longer
// busy. LIMIT: cycles of a run behind which it has failed, and is the last. STALL: bytes come and go only now and then.
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
};

} // namespace

int main(int count, char **words)
{
    if (count < 7) {
        return 2;
    }
    const int runs = std::atoi(words[2]);
    const int input_bytes = std::atoi(words[3]);
    const int output_bytes = std::atoi(words[4]);
    const long limit = std::atol(words[5]);
    const bool stall = std::atoi(words[6]) != 0;
    std::vector<unsigned char> input(input_bytes);
    std::FILE *file = std::fopen(words[1], "rb");
    if (file == nullptr) {
        return 2;
    }
    Bench bench;
    bench.chip.reset = 1;
    for (int cycle = 0; cycle < 4; cycle++) {
        bench.step();
    }
    bench.chip.reset = 0;
    for (int run = 0; run < runs; run++) {
        if (std::fread(input.data(), 1, input.size(), file) != input.size()) {
            return 2;
        }
        const unsigned long began = bench.now;
        for (int given = 0; given < input_bytes && bench.now - began < (unsigned long)limit;) {
            bench.chip.in_valid = !stall || bench.now % 3 == 0;
            bench.chip.in_data = input[given];
            bench.chip.eval();
            given += bench.chip.in_valid && bench.chip.in_ready;
            bench.step();
        }
        bench.chip.in_valid = 0;
        bench.chip.eval();
        long cycles = 1;
        for (; bench.chip.busy && cycles < limit; cycles++) {
            bench.step();
        }
        int taken = 0;
        std::printf("result ");
        while (taken < output_bytes && bench.now - began < 3 * (unsigned long)limit) {
            bench.chip.out_ready = !stall || bench.now % 3 == 1;
            bench.chip.eval();
            if (bench.chip.out_valid && bench.chip.out_ready) {
                std::printf("%02x", bench.chip.out_data);
                taken++;
            }
            bench.step();
        }
        bench.chip.out_ready = 0;
        std::printf(" %ld\n", cycles);
        std::fflush(stdout);
        if (taken < output_bytes) {
            break;
        }
    }
    std::fclose(file);
    return 0;
}
