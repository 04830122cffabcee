// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <pthread.h>

#include "corpus.h"
#include "test.h"

/* More would not be looked at often enough. */
#define MAX_PROGRAMS 8192

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* for both */
static struct program *programs[MAX_PROGRAMS];
static unsigned int num_programs;

void corpus_add(const struct program *program)
{
	struct program *copy = malloc(sizeof(*copy));

	assert_non_null(copy);
	*copy = *program;
	pthread_mutex_lock(&lock);
	if (num_programs < MAX_PROGRAMS)
		programs[num_programs++] = copy;
	else
		free(copy);
	pthread_mutex_unlock(&lock);
}

unsigned int corpus_size(void)
{
	unsigned int size;

	pthread_mutex_lock(&lock);
	size = num_programs;
	pthread_mutex_unlock(&lock);
	return size;
}

/* They stay where they are once they are in the corpus. */
static const struct program *some_program(struct fuzz_random *random)
{
	const struct program *program = NULL;

	pthread_mutex_lock(&lock);
	if (num_programs)
		program = programs[fuzz_below(random, num_programs)];
	pthread_mutex_unlock(&lock);
	return program;
}

static bool write_tape(FILE *file, const struct fuzz_tape *tape)
{
	return fwrite(&tape->num, sizeof(tape->num), 1, file) == 1 &&
	       fwrite(tape->words, sizeof(tape->words[0]), tape->num, file) == tape->num;
}

static bool read_tape(FILE *file, struct fuzz_tape *tape)
{
	return fread(&tape->num, sizeof(tape->num), 1, file) == 1 && tape->num <= FUZZ_TAPE_WORDS &&
	       fread(tape->words, sizeof(tape->words[0]), tape->num, file) == tape->num;
}

static bool write_program(FILE *file, const struct program *program)
{
	bool ok;
	uint32_t i;

	ok = fwrite(&program->num, sizeof(program->num), 1, file) == 1 &&
	     write_tape(file, &program->begin);
	for (i = 0; ok && i < program->num; i++)
		ok = write_tape(file, &program->calls[i]);
	return ok;
}

static bool read_program(FILE *file, struct program *program)
{
	bool ok;
	uint32_t i;

	ok = fread(&program->num, sizeof(program->num), 1, file) == 1 &&
	     program->num <= PROGRAM_CALLS && read_tape(file, &program->begin);
	for (i = 0; ok && i < program->num; i++)
		ok = read_tape(file, &program->calls[i]);
	return ok;
}

int corpus_load(const char *path)
{
	FILE *file = fopen(path, "re");
	struct program program;

	if (!file)
		return errno;
	while (read_program(file, &program))
		corpus_add(&program);
	fclose(file);
	return 0;
}

int corpus_save(const char *path)
{
	FILE *file = fopen(path, "we");
	unsigned int i;
	int err = 0;

	if (!file)
		return errno;
	for (i = 0; !err && i < num_programs; i++)
		if (!write_program(file, programs[i]))
			err = EIO;
	if (fclose(file) && !err)
		err = errno;
	return err;
}

void program_fresh(struct program *program, struct fuzz_random *random)
{
	unsigned int i;

	program->begin.num = 0;
	program->num = 1 + fuzz_below(random, PROGRAM_CALLS);
	for (i = 0; i < program->num; i++)
		program->calls[i].num = 0;
}

static void insert_call(struct program *program, unsigned int at, const struct fuzz_tape *call)
{
	if (program->num == PROGRAM_CALLS)
		return;
	memmove(&program->calls[at + 1], &program->calls[at],
		(program->num - at) * sizeof(program->calls[0]));
	program->num++;
	if (call)
		program->calls[at] = *call;
	else
		program->calls[at].num = 0;
}

static void remove_call(struct program *program, unsigned int at)
{
	program->num--;
	memmove(&program->calls[at], &program->calls[at + 1],
		(program->num - at) * sizeof(program->calls[0]));
}

/* Another number, or other ones from here on */
static void change_call(struct fuzz_tape *call, struct fuzz_random *random)
{
	if (!call->num)
		return;
	if (fuzz_one_in(random, 4))
		call->num = fuzz_below(random, call->num);
	else
		call->words[fuzz_below(random, call->num)] = fuzz_next(random);
}

static void mutate(struct program *program, struct fuzz_random *random)
{
	unsigned int at = program->num ? fuzz_below(random, program->num) : 0;
	const struct program *other;

	switch (fuzz_below(random, 8)) {
	case 0:
		insert_call(program, at, NULL);
		break;
	case 1:
		if (program->num > 1)
			remove_call(program, at);
		break;
	case 2: /* a call once more */
		if (program->num)
			insert_call(program, at, &program->calls[at]);
		break;
	case 3: /* one of another program */
		other = some_program(random);
		if (other && other->num)
			insert_call(program, at, &other->calls[fuzz_below(random, other->num)]);
		break;
	case 4: /* the other device, or whatever it is */
		program->begin.num = 0;
		break;
	default:
		if (program->num)
			change_call(&program->calls[at], random);
	}
}

void program_mutated(struct program *program, struct fuzz_random *random)
{
	const struct program *from = some_program(random);
	unsigned int n;

	if (!from) {
		program_fresh(program, random);
		return;
	}
	*program = *from;
	for (n = 1 + fuzz_below(random, 4); n; n--)
		mutate(program, random);
}
