/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * A page that is not there, so that a thread which copies to it stops, also in the
 * kernel, until it is let go.
 */
#ifndef STOPPED_PAGE_H
#define STOPPED_PAGE_H

struct stopped_page {
	void *addr;
	int userfaultfd;
};

/* The test is left out where the kernel has no userfaultfd. */
void stopped_page_create(struct stopped_page *page);
void stopped_page_destroy(struct stopped_page *page);

/* Returns when a thread has stopped. */
void stopped_page_wait(const struct stopped_page *page);

/* The page is zero; who has stopped goes on. */
void stopped_page_let_go(const struct stopped_page *page);

#endif /* STOPPED_PAGE_H */
