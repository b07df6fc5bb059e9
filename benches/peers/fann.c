/* libfann as a contestant: speaks the lines described in benches/neural/contestant.mjs.
 *
 * FANN's sigmoid is 1 / (1 + exp(-2 s x)); with steepness s = 0.5 it is the common one. A neuron's
 * weights lie together, the bias last. It has no batches: a batch is as many calls. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <floatfann.h>

enum { LAYERS_MAX = 8, SAMPLES_MAX = 100000, PATH_BYTES_MAX = 4096, WARM_NETWORKS = 8 };

static const double WARM_UP_US = 100e3, SAMPLE_US = 1e3;

static unsigned sizes[LAYERS_MAX], layers, count, rows;
static float *weights, *inputs;
static struct fann **networks;

static double clock_us(clockid_t id) {
    struct timespec now;
    clock_gettime(id, &now);
    return now.tv_sec * 1e6 + now.tv_nsec / 1e3;
}

static float *read_floats(const char *folder, const char *name, size_t *length) {
    char path[PATH_BYTES_MAX + 16];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (!file) return NULL;
    fseek(file, 0, SEEK_END);
    long bytes = ftell(file);
    rewind(file);
    float *numbers = malloc(bytes);
    *length = fread(numbers, sizeof(float), bytes / sizeof(float), file);
    fclose(file);
    return numbers;
}

static int read_sizes(const char *folder) {
    char path[PATH_BYTES_MAX + 16];
    snprintf(path, sizeof path, "%s/sizes.txt", folder);
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    layers = 0;
    while (layers < LAYERS_MAX && fscanf(file, "%u", &sizes[layers]) == 1) layers++;
    fclose(file);
    return layers > 1;
}

static struct fann *create(const float *own) {
    struct fann *network = fann_create_standard_array(layers, sizes);
    if (!network) exit(1);
    fann_set_activation_function_hidden(network, FANN_SIGMOID);
    fann_set_activation_function_output(network, FANN_SIGMOID);
    fann_set_activation_steepness_hidden(network, 0.5f);
    fann_set_activation_steepness_output(network, 0.5f);
    float *to = network->weights;
    for (unsigned layer = 1; layer < layers; layer++) {
        unsigned in = sizes[layer - 1], units = sizes[layer];
        for (unsigned unit = 0; unit < units; unit++) {
            for (unsigned k = 0; k < in; k++) *to++ = own[k * units + unit];
            *to++ = own[in * units + unit];
        }
        own += (in + 1) * units;
    }
    return network;
}

static size_t parameters(void) {
    size_t sum = 0;
    for (unsigned layer = 1; layer < layers; layer++) sum += (sizes[layer - 1] + 1) * sizes[layer];
    return sum;
}

static int load(const char *folder) {
    size_t weight_count, input_count;
    if (!read_sizes(folder)) return 0;
    weights = read_floats(folder, "weights.f32", &weight_count);
    inputs = read_floats(folder, "inputs.f32", &input_count);
    if (!weights || !inputs) return 0;
    count = weight_count / parameters();
    rows = input_count / sizes[0];
    return 1;
}

static const float *run_row(unsigned row) {
    return fann_run(networks[count > 1 ? row : 0], inputs + row * sizes[0]);
}

static void run(void) {
    for (unsigned row = 0; row < rows; row++) run_row(row);
}

static void prepare(const char *folder) {
    char path[PATH_BYTES_MAX + 16];
    if (!load(folder)) {
        puts("error the folder cannot be read");
        return;
    }
    networks = malloc(count * sizeof *networks);
    for (unsigned i = 0; i < count; i++) networks[i] = create(weights + i * parameters());
    snprintf(path, sizeof path, "%s/outputs.f32", folder);
    FILE *file = fopen(path, "wb");
    if (!file) {
        puts("error the outputs cannot be written");
        return;
    }
    unsigned outputs = sizes[layers - 1];
    for (unsigned row = 0; row < rows; row++) fwrite(run_row(row), sizeof(float), outputs, file);
    fclose(file);
    puts("ok");
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* As in contestant.mjs: the 10th percentile of the processor time, or the shortest on the clock. */
static double measure(double window_us) {
    static double cpu[SAMPLES_MAX];
    double until = clock_us(CLOCK_MONOTONIC) + WARM_UP_US, wall_min = 1e300;
    do run();
    while (clock_us(CLOCK_MONOTONIC) < until);
    long times = 1;
    size_t samples = 0;
    int calibrating = 1;
    until = 0;
    do {
        double c = clock_us(CLOCK_PROCESS_CPUTIME_ID), w = clock_us(CLOCK_MONOTONIC);
        for (long left = times; left > 0; left--) run();
        w = clock_us(CLOCK_MONOTONIC) - w;
        c = clock_us(CLOCK_PROCESS_CPUTIME_ID) - c;
        if (calibrating && w < SAMPLE_US) {
            times *= 2;
            continue;
        }
        if (calibrating) {
            calibrating = 0;
            until = clock_us(CLOCK_MONOTONIC) + window_us;
            continue;
        }
        cpu[samples++] = c / times;
        if (w / times < wall_min) wall_min = w / times;
    } while (calibrating || samples == 0 ||
             (samples < SAMPLES_MAX && clock_us(CLOCK_MONOTONIC) < until));
    qsort(cpu, samples, sizeof *cpu, ascending);
    double tenth = cpu[samples / 10];
    return tenth < wall_min ? tenth : wall_min;
}

/* Resident bytes, where the system tells them. */
static double resident(void) {
    long size = 0, pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file) {
        if (fscanf(file, "%ld %ld", &size, &pages) != 2) pages = 0;
        fclose(file);
    }
    return (double)pages * sysconf(_SC_PAGESIZE);
}

static void idle(const char *folder, int wanted) {
    if (!load(folder)) {
        puts("error the folder cannot be read");
        return;
    }
    for (int i = 0; i < WARM_NETWORKS; i++) fann_run(create(weights), inputs);
    double before = resident(), us = clock_us(CLOCK_PROCESS_CPUTIME_ID);
    struct fann **all = malloc(wanted * sizeof *all);
    for (int i = 0; i < wanted; i++) all[i] = create(weights);
    us = clock_us(CLOCK_PROCESS_CPUTIME_ID) - us;
    for (int i = 0; i < wanted; i++) fann_run(all[i], inputs);
    printf("ok %.0f %.3f\n", (resident() - before) / wanted, us / wanted);
}

int main(void) {
    char line[PATH_BYTES_MAX], folder[PATH_BYTES_MAX], what[16];
    double window_ms;
    int wanted;
    setvbuf(stdout, NULL, _IOLBF, 0);
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        if (sscanf(line, "idle %4095s %d", folder, &wanted) == 2) idle(folder, wanted);
        else if (sscanf(line, "measure %15s %lf", what, &window_ms) == 2 && !strcmp(what, "run"))
            printf("ok %.6f\n", measure(window_ms * 1000));
        else if (!strncmp(line, "prepare ", 8)) prepare(line + 8);
        else puts("no it trains otherwise");
    }
    return 0;
}
