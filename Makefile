# memstore: `make help` lists what can be made.

VERSION := $(shell sed -n 's/^.define MEMSTORE_VERSION "\(.*\)"/\1/p' common/version.h)
SOVERSION := 1

CC ?= gcc
PKG_CONFIG ?= pkg-config
PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR ?= $(PREFIX)/share/man
SYSTEMDDIR ?= $(PREFIX)/lib/systemd
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d

comma := ,
# A sanitizer build has a tree of its own: SAN=address,undefined or SAN=thread.
BUILD ?= build$(if $(SAN),/san-$(subst $(comma),-,$(SAN)))

CFLAGS ?= -O2 -g
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wcast-qual -Wwrite-strings -Wformat=2 -Wundef -Wvla $(if $(WERROR),-Werror)
SANITIZE := $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)
ALL_CFLAGS = -std=c17 -D_GNU_SOURCE -I. -Icommon -fPIC -fvisibility=hidden -pthread \
	$(WARNINGS) $(CFLAGS) $(SANITIZE) $(CPPFLAGS)
ALL_LDFLAGS = -pthread $(SANITIZE) $(LDFLAGS)

COMMON := marks boottime connection ring metadata size socket_path record entry bucket
DAEMON := main guard closer options lock_file data_folder memory listener \
	server client request body answer \
	handle_session handle_put handle_get handle_object handle_add handle_bucket handle_status \
	handle_waiting condition batch bulk upload rings idle direct pins listing lifetimes shortage \
	remains statistics state store counters open_bucket buckets quota dropped reserve objects pair \
	add evict hand uses ends expiry owners blob group garbage spares scan events history table \
	waits watches locks etag log
CLIENT := handle pool turns channel connect await sockets ringing stream memfd bulk identity fork \
	environment direct message object condition put_head put get view key add wait watch lock \
	once list pair touch bucket writer reserve batch batch_answers pipeline atomic url stats holders
CLI := main arguments check options option_values duration commands help help_objects \
	help_waiting help_buckets help_store key text status condition input output doomed progress \
	transfer objects report tally folder walk tree tree_put tree_get child wait watch lock once \
	bucket bucket_show ephemeral print print_report json json_parts json_report quantity sample \
	picture top top_table top_lines top_json screen

common_objects := $(COMMON:%=$(BUILD)/common/%.o)
daemon_objects := $(DAEMON:%=$(BUILD)/daemon/%.o) $(common_objects)
client_objects := $(CLIENT:%=$(BUILD)/client/%.o) $(common_objects)
cli_objects := $(CLI:%=$(BUILD)/cli/%.o) $(BUILD)/common/size.o

daemon_packages := lmdb libsystemd libxxhash
client_packages := lmdb
cli_packages := jansson ncursesw
test_packages := check
packages := $(daemon_packages) $(cli_packages) $(test_packages)

# Test programs, one topic each; tests/run runs them and adds up.
TESTS := common connection store bucket_store hand events lifetimes daemon protocol buffer ring window \
	ringing scribble impostor lies group upload hostile patience pins waiting behaviour limit \
	expiry ephemeral bucket bucket_raw bucket_load evict processes handle batch bulk writer reserve \
	condition add wait watch lock once dropped command command_condition command_bucket \
	command_waiting command_top picture tree direct view fork holders examples install systemd
# These run three times: direct reads and a ring, direct reads and the socket, all over the socket.
THRICE := behaviour limit expiry ephemeral bucket bucket_load evict processes handle batch bulk \
	upload writer reserve \
	condition add wait watch lock once dropped command command_condition command_bucket \
	command_waiting command_top examples
# These run twice, over the socket and through a ring.
TWICE := protocol buffer group hostile waiting bucket_raw
# These have the daemon's parts in them.
store_tests := $(addprefix $(BUILD)/tests/test_,store bucket_store hand spares events lifetimes)
harness_objects := $(BUILD)/tests/harness.o

binaries := $(BUILD)/memstored $(BUILD)/memstore
libraries := $(BUILD)/libmemstore.so $(BUILD)/libmemstore.a
soname := libmemstore.so.$(SOVERSION)
test_programs := $(TESTS:%=$(BUILD)/tests/test_%)
test_runs := $(foreach test,$(TESTS),$(addprefix $(BUILD)/tests/test_, \
	$(if $(filter $(test),$(THRICE)),$(test)@ring $(test)@direct $(test)@socket, \
	$(test) $(if $(filter $(test),$(TWICE)),$(test)@ring))))

.DEFAULT_GOAL := all
.PHONY: all demo check check-run demo-run install deps deps-lint lint format clean help

all: $(binaries) $(libraries) ## build the daemon, the command and the library (default)

help: ## list what can be made
	@echo 'make TARGET [SAN=address,undefined|thread] [WERROR=1] [CC=clang] [PREFIX=…] [DESTDIR=…]'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' $(firstword $(MAKEFILE_LIST)) | column -t -s'|'

# ---- building ----

flags_of = $(shell $(PKG_CONFIG) --cflags $(1))
libs_of = $(shell $(PKG_CONFIG) --libs $(1))

$(BUILD)/client/environment.o: ALL_CFLAGS += $(call flags_of,$(client_packages))
$(BUILD)/daemon/%.o $(store_tests:%=%.o): ALL_CFLAGS += $(call flags_of,$(daemon_packages))
$(BUILD)/cli/%.o: ALL_CFLAGS += $(call flags_of,$(cli_packages))
$(BUILD)/tests/%.o: ALL_CFLAGS += $(call flags_of,$(test_packages)) -Wno-missing-prototypes

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/memstored: $(daemon_objects)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(call libs_of,$(daemon_packages))

$(BUILD)/$(soname): $(client_objects) client/libmemstore.map
	$(CC) $(ALL_LDFLAGS) -shared -Wl,-soname,$(soname) $(if $(SAN),,-Wl$(comma)-z$(comma)defs) \
		-Wl,--version-script,client/libmemstore.map -o $@ $(client_objects) \
		$(call libs_of,$(client_packages))

$(BUILD)/libmemstore.so: $(BUILD)/$(soname)
	ln -sf $(soname) $@

# One object whose only global names are the public ones, so that ours cannot clash with a program's.
$(BUILD)/libmemstore.a: $(client_objects)
	$(LD) -r -o $(BUILD)/libmemstore.o $^
	objcopy --localize-hidden $(BUILD)/libmemstore.o
	rm -f $@
	$(AR) rcs $@ $(BUILD)/libmemstore.o

$(BUILD)/memstore: $(cli_objects) $(BUILD)/libmemstore.a
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(call libs_of,$(cli_packages) $(client_packages))

# ---- tests ----

$(BUILD)/tests/test_common $(BUILD)/tests/test_connection $(BUILD)/tests/test_impostor: $(common_objects)
$(store_tests): $(filter-out $(BUILD)/daemon/main.o,$(daemon_objects))
$(store_tests): packages_used = $(daemon_packages)
$(BUILD)/tests/test_buffer $(BUILD)/tests/test_upload: packages_used = libxxhash
raw_tests := protocol buffer ring window scribble group upload hostile patience pins waiting bucket_raw
$(raw_tests:%=$(BUILD)/tests/test_%): $(BUILD)/tests/raw.o $(BUILD)/tests/raw_ring.o
shell_tests := command command_condition command_bucket command_waiting command_top
$(shell_tests:%=$(BUILD)/tests/test_%): $(BUILD)/tests/shell.o
$(shell_tests:%=$(BUILD)/tests/test_%): packages_used = jansson
$(BUILD)/tests/test_command_top: $(BUILD)/tests/terminal.o
$(BUILD)/tests/test_picture: $(filter-out $(BUILD)/cli/main.o,$(cli_objects))
$(BUILD)/tests/test_picture: packages_used = $(cli_packages)

$(BUILD)/tests/test_%: $(BUILD)/tests/test_%.o $(harness_objects) $(BUILD)/libmemstore.a
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(call libs_of,$(test_packages) $(client_packages) $(packages_used))

# The examples know the public header alone, as a user's program does.
examples := $(patsubst examples/%.c,$(BUILD)/examples/%,$(wildcard examples/*.c))
$(BUILD)/examples/%: examples/%.c client/memstore.h $(BUILD)/libmemstore.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Iclient $(ALL_LDFLAGS) -o $@ $< $(BUILD)/libmemstore.a $(call libs_of,$(client_packages))
$(BUILD)/tests/test_examples: | $(examples)

$(BUILD)/tests/demo: $(BUILD)/tests/demo.o $(harness_objects) $(BUILD)/libmemstore.a
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(call libs_of,$(test_packages) $(client_packages))

check: deps ## run every test (installs what is missing first)
	@$(MAKE) --no-print-directory check-run

check-run: all $(test_programs)
	BUILD=$(BUILD) CC='$(CC)' SAN='$(SAN)' tests/run $(test_runs)

demo: deps ## watch 4 processes share a store [DIR=/usr/include]
	@$(MAKE) --no-print-directory demo-run

DIR ?= /usr/include
demo-run: all $(BUILD)/tests/demo
	@BUILD=$(BUILD) $(BUILD)/tests/demo $(DIR)

# ---- installing ----

# What install leaves at DESTDIR: the library under its full version, with the links that the
# loader (SONAME) and the linker (.so) look for.
library_file := libmemstore.so.$(VERSION)
man_pages := $(wildcard man/*.[1378])
units := $(wildcard systemd/*.service systemd/*.socket)
user_units := $(wildcard systemd/user/*.service systemd/user/*.socket)
INSTALL ?= install

install: all ## install [PREFIX=/usr/local] [DESTDIR=]
	$(INSTALL) -d $(addprefix $(DESTDIR),$(BINDIR) $(LIBDIR)/pkgconfig $(INCLUDEDIR) \
		$(SYSTEMDDIR)/system $(SYSTEMDDIR)/user $(SYSUSERSDIR) \
		$(MANDIR)/man1 $(MANDIR)/man3 $(MANDIR)/man7 $(MANDIR)/man8)
	$(INSTALL) -m 755 $(binaries) $(DESTDIR)$(BINDIR)
	$(INSTALL) -m 755 $(BUILD)/$(soname) $(DESTDIR)$(LIBDIR)/$(library_file)
	ln -sf $(library_file) $(DESTDIR)$(LIBDIR)/$(soname)
	ln -sf $(soname) $(DESTDIR)$(LIBDIR)/libmemstore.so
	$(INSTALL) -m 644 $(BUILD)/libmemstore.a $(DESTDIR)$(LIBDIR)
	$(INSTALL) -m 644 client/memstore.h $(DESTDIR)$(INCLUDEDIR)
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR:$(PREFIX)/%=$${prefix}/%)|' \
		-e 's|@INCLUDEDIR@|$(INCLUDEDIR:$(PREFIX)/%=$${prefix}/%)|' \
		-e 's|@VERSION@|$(VERSION)|' client/libmemstore.pc.in \
		> $(DESTDIR)$(LIBDIR)/pkgconfig/libmemstore.pc
	for unit in $(units:systemd/%=system/%) $(user_units:systemd/%=%); do \
		sed 's|@BINDIR@|$(BINDIR)|' systemd/$${unit#system/} \
			> $(DESTDIR)$(SYSTEMDDIR)/$$unit || exit 1; done
	$(INSTALL) -m 644 systemd/memstore.sysusers.conf $(DESTDIR)$(SYSUSERSDIR)/memstore.conf
	for page in $(man_pages); do \
		$(INSTALL) -m 644 $$page $(DESTDIR)$(MANDIR)/man$${page##*.} || exit 1; done
	$(if $(DESTDIR),,-ldconfig)

# ---- what the machine must have ----

deps: ## install what build and tests need and is not there
	@CC='$(CC)' PKG_CONFIG='$(PKG_CONFIG)' tests/deps

deps-lint: deps ## install what lint needs and is not there
	@tests/deps lint

# ---- the looks of the code ----

lint_sources := $(wildcard common/*.c daemon/*.c client/*.c cli/*.c tests/*.c examples/*.c)
lint_headers := $(wildcard common/*.h daemon/*.h client/*.h cli/*.h tests/*.h)
lint_flags = -std=c17 -D_GNU_SOURCE -I. -Icommon -Iclient $(call flags_of,$(packages))
jobs := $(shell nproc)

.PHONY: lint-format lint-tidy lint-cppcheck lint-shell lint-man
lint: lint-format lint-cppcheck lint-shell lint-man lint-tidy ## check the code [-k: all of it]

lint-format: deps-lint
	@echo 'clang-format'
	@clang-format --dry-run --Werror $(lint_sources) $(lint_headers)

# varFuncNullUB: here NULL is a pointer, which ends a list of arguments well.
lint-cppcheck: deps-lint
	@echo 'cppcheck'
	@cppcheck --quiet --error-exitcode=1 --inline-suppr -j $(jobs) --std=c11 \
		--enable=warning,performance,portability --suppress=missingIncludeSystem \
		--suppress=varFuncNullUB -D_GNU_SOURCE -I. -Icommon $(lint_sources)

# Its count of what it found in system headers and does not show is on stderr.
lint-tidy: deps-lint
	@echo 'clang-tidy'
	@printf '%s\n' $(lint_sources) | xargs -P $(jobs) -I FILE \
		sh -c 'clang-tidy --quiet FILE -- $(lint_flags) 2>/dev/null || { echo FILE; exit 1; }'

lint-shell: deps-lint
	@echo 'shellcheck'
	@shellcheck tests/deps tests/run .ci/run

lint-man: deps-lint
	@echo 'mandoc'
	@mandoc -T lint -W warning $$(grep -L '^\.so ' $(man_pages))

format: deps-lint ## lay out the code as lint wants it
	clang-format -i $(lint_sources) $(lint_headers)

# ---- the benchmark ----

BENCH := main run process machine timing keys zipf subject memstore client daemon raw_lmdb stream pipeline redis \
	memcached echo memcpy race workers redis_benchmark results durations stages stages_changes stages_extras extras exact_lru \
	stages_workers targets targets_reads targets_changes targets_extras targets_growth growth report report_table report_format \
	report_json report_chart
bench_packages := lmdb
bench_objects := $(BENCH:%=$(BUILD)/bench/%.o) $(common_objects)
# A quick run is no one's reference: its chart stays out of the tree.
bench_chart = $(if $(QUICK),$(BUILD)/bench.svg,bench/bench.svg)
lint_sources += $(wildcard bench/*.c)
lint_headers += $(wildcard bench/*.h)

.PHONY: bench bench-run bench-deps

$(BUILD)/bench/%.o: ALL_CFLAGS += $(call flags_of,$(bench_packages))

$(BUILD)/bench/bench: $(bench_objects) $(BUILD)/libmemstore.a
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(call libs_of,$(bench_packages)) -lm

bench: deps ## measure beside redis, memcached and raw LMDB [QUICK=1]
	@$(MAKE) --no-print-directory bench-run

bench-run: $(BUILD)/memstored $(BUILD)/bench/bench
	@$(BUILD)/bench/bench $(BUILD) $(bench_chart) $(if $(QUICK),quick)

bench-deps: ## install what bench compares with: redis, memcached, gnuplot
	@tests/deps bench

# Everything that is compiled, for a look at another compiler's warnings.
.PHONY: programs
programs: all $(test_programs) $(BUILD)/tests/demo

clean: ## remove everything that was built
	rm -rf build

# The headers that each object was made from, as the compiler noted them. Objects are kept.
.SECONDARY:
-include $(wildcard $(BUILD)/*/*.d)
