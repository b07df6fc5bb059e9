/* libfann for tests/fann_interop.rs: creates, runs, trains and copies networks by command line.
 *
 *   create standard|sparse|shortcut NET     a network with every activation function
 *   run NET DATA                            the outputs of every row, with nine digits
 *   copy NET NET                            reads and writes
 *   train NET DATA EPOCHS DESIRED NET       prints epochs, error, failed bits
 *   cascade NET DATA NEURONS DESIRED SEED NET   prints epochs, neurons, error, failed bits
 *
 * NET are FANN files, which carry the options of the training; DATA are FANN data files.
 */
#include <floatfann.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned int cascade_epochs = 0;

static int FANN_API on_neuron(struct fann *net, struct fann_train_data *data, unsigned int max,
                              unsigned int between, float desired, unsigned int epochs) {
  (void)net, (void)data, (void)max, (void)between, (void)desired;
  cascade_epochs = epochs;
  return 0;
}

static void *found(void *thing, const char *name) {
  if (thing == NULL) {
    fprintf(stderr, "cannot read %s\n", name);
    exit(1);
  }
  return thing;
}

static int reached(struct fann *net, float desired) {
  if (fann_get_train_stop_function(net) == FANN_STOPFUNC_BIT) {
    return fann_get_bit_fail(net) <= (unsigned int)desired;
  }
  return fann_get_MSE(net) <= desired;
}

static int create(const char *kind, const char *file) {
  const unsigned int sizes[] = {3, 10, 9, 2};
  const unsigned int functions = FANN_COS + 1;
  struct fann *net;
  unsigned int layer, neuron, count = 0;
  if (strcmp(kind, "standard") == 0) {
    net = fann_create_standard_array(4, sizes);
  } else if (strcmp(kind, "sparse") == 0) {
    net = fann_create_sparse_array(0.5f, 4, sizes);
  } else {
    net = fann_create_shortcut_array(4, sizes);
  }
  /* Creating seeds the generator from the clock; from here on it is repeatable. */
  srand(7);
  fann_randomize_weights(net, -1.5f, 1.5f);
  for (layer = 1; layer < 3; layer++) {
    for (neuron = 0; neuron < sizes[layer]; neuron++, count++) {
      fann_set_activation_function(net, count % functions, layer, neuron);
      fann_set_activation_steepness(net, 0.25f + 0.1f * (float)(count % 9), layer, neuron);
    }
  }
  fann_set_activation_function(net, FANN_LINEAR, 3, 0);
  fann_set_activation_function(net, FANN_SIGMOID_SYMMETRIC, 3, 1);
  fann_set_learning_momentum(net, 0.123f);
  return fann_save(net, file);
}

int main(int count, char **arguments) {
  const char *command = count > 3 ? arguments[1] : "";
  struct fann *net;
  struct fann_train_data *data = NULL;
  unsigned int i, j;
  if (strcmp(command, "create") == 0) return create(arguments[2], arguments[3]);
  net = found(fann_create_from_file(arguments[2]), arguments[2]);
  if (strcmp(command, "copy") == 0) return fann_save(net, arguments[3]);
  data = found(fann_read_train_from_file(arguments[3]), arguments[3]);
  if (strcmp(command, "run") == 0) {
    for (i = 0; i < fann_length_train_data(data); i++) {
      fann_type *output = fann_run(net, data->input[i]);
      for (j = 0; j < fann_get_num_output(net); j++) printf("%.9g ", output[j]);
      printf("\n");
    }
  } else if (strcmp(command, "train") == 0 && count == 7) {
    const unsigned int max = (unsigned int)atoi(arguments[4]);
    const float desired = (float)atof(arguments[5]);
    for (i = 0; i < max;) {
      fann_train_epoch(net, data);
      i++;
      if (reached(net, desired)) break;
    }
    printf("%u %.9g %u\n", i, fann_get_MSE(net), fann_get_bit_fail(net));
    return fann_save(net, arguments[6]);
  } else if (strcmp(command, "cascade") == 0 && count == 8) {
    const unsigned int before = fann_get_total_neurons(net);
    const float desired = (float)atof(arguments[5]);
    srand((unsigned int)atoi(arguments[6]));
    fann_set_callback(net, on_neuron);
    fann_cascadetrain_on_data(net, data, (unsigned int)atoi(arguments[4]), 1, desired);
    printf("%u %u %.9g %u\n", cascade_epochs, fann_get_total_neurons(net) - before,
           fann_get_MSE(net), fann_get_bit_fail(net));
    return fann_save(net, arguments[7]);
  } else {
    return 2;
  }
  return 0;
}
