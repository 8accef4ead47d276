# Linnet's verbs. `make help` lists them; the lines that begin with ## are that text.
#
## make [build]       linnetd and linnet into build/ (installs libraries that are missing)
## make run           the same, then linnetd in the foreground, its data under build/run
## make check         unit tests, scenarios, roles, tidy: before every commit, under a minute
## make test          everything that CI runs, under 20 minutes
## make unit          unit tests             ONLY=mqtt/topic: those whose path has that in it
## make scenario      wire-level scenarios   ONLY=session/
## make sim           the simulator          SEED=1 RUNS=30: that many seeds from that one on
## make asan          unit, scenario and sim under AddressSanitizer and UBSan
## make tsan          unit tests and real clients under ThreadSanitizer
## make fuzz          the fuzz targets       ONLY=topic FUZZ_TIME=60: seconds for each
## make bench         Linnet beside Mosquitto and a bare relay   ONLY=pairs: rows with that in
##                    their name, or a benchmark of its own: durable, record
## make integration   linnetd and linnet with real clients   ONLY=text: pytest's -k
## make kill-loop     kill -9 under load, and count   KILLS=300 SEED=7
## make abuse         floods, stalls, giants: what they cost   CONNECTIONS=2000 ONLY=websocket
## make analyze       clang's thread-safety analysis, then clang-tidy
## make tidy          the house rules (tools/tidy), which test themselves first
## make docs          regenerates doc/configuration.md and doc/conformance.md
## make format        what clang-format would change; FILES='a.c b.h' changes those files
## make install       PREFIX=/usr/local DESTDIR=
## make clean
##
## FLAVOUR=release|asan|tsan|fuzz   how to compile: each has its own folder of objects
## BUILD_ROOT=build                 where everything goes; one's own, to build beside others
## ROOMS='base mqtt'                these rooms of src only, while others do not compile
## DEPS=no                          installs nothing
## V=1                              shows the commands

BUILD_ROOT  ?= build
FLAVOUR     ?= release
ONLY        ?=
SEED        ?= 1
RUNS        ?= 30
FUZZ_TIME   ?= 60
FUZZ_RUNS   ?= 20000
KILLS       ?= 300
CONNECTIONS ?= 2000
DEPS        ?= yes
PREFIX      ?= /usr/local
DESTDIR     ?=
V           ?= 0

OUT    := $(BUILD_ROOT)/$(FLAVOUR)
OBJ    := $(OUT)/obj
Q      := $(if $(filter 0,$(V)),@)
say     = $(if $(filter 0,$(V)),@printf '  %-8s %s\n' $(1) $(2))

# One job per core, unless -j says otherwise.
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc)
endif
MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL := build

# ---- how to compile ------------------------------------------------------------------------------
# Asserts stay on in every flavour: there is no -DNDEBUG anywhere.

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes \
            -Wmissing-prototypes -Wvla -Wswitch-enum -Wpointer-arith -Wwrite-strings -Werror
LANGUAGE := -std=gnu17 -D_GNU_SOURCE -Isrc
TEST_INCLUDES := -Itest -I.

release_CC      := gcc
release_CFLAGS  := -O2 -g -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fPIE
release_LDFLAGS := -pie -Wl,-z,relro,-z,now

# gcc's sanitizers confuse its analysis of what is initialised; the release has that warning.
asan_CC      := gcc
asan_CFLAGS  := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all \
                -fno-omit-frame-pointer -Wno-maybe-uninitialized
asan_LDFLAGS := -fsanitize=address,undefined

tsan_CC      := clang
tsan_CFLAGS  := -O1 -g -fsanitize=thread -fno-omit-frame-pointer
tsan_LDFLAGS := -fsanitize=thread

fuzz_CC      := clang
fuzz_CFLAGS  := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all \
                -fno-omit-frame-pointer
fuzz_LDFLAGS := -fsanitize=address,undefined

ifeq ($($(FLAVOUR)_CC),)
$(error FLAVOUR is one of release, asan, tsan, fuzz)
endif

COMPILE := $($(FLAVOUR)_CC) $(LANGUAGE) $(WARNINGS) $($(FLAVOUR)_CFLAGS) -pthread -MMD -MP $(CFLAGS)
LINK    := $($(FLAVOUR)_CC) $($(FLAVOUR)_LDFLAGS) -pthread $(LDFLAGS)

# Libraries of the product; a new one also gets its row in tools/install-deps.
LIBS        := -llmdb -lxxhash -lcurl -ljansson -lssl -lcrypto -largon2 -lwslay -lcap-ng -lseccomp
TOOL_LIBS   := -ljansson
DAEMON_LIBS := $(if $(filter release,$(FLAVOUR)),-lmimalloc)

# cmocka must not take a crash away from the sanitizer that can explain it.
export ASAN_OPTIONS  ?= handle_segv=2:handle_sigbus=2:handle_sigfpe=2:handle_sigill=2:detect_leaks=1
export UBSAN_OPTIONS ?= print_stacktrace=1
export TSAN_OPTIONS  ?= halt_on_error=1:second_deadlock_stack=1
export BUILD_ROOT

# ---- what there is -------------------------------------------------------------------------------
# Folders are listed, files are found: a new file needs no line here, a folder still empty no care.

ALL_ROOMS := $(patsubst src/%/,%,$(wildcard src/*/ src/services/*/))
ROOMS     ?= $(ALL_ROOMS)
WHOLE     := $(if $(filter-out $(ROOMS),$(ALL_ROOMS)),,yes)

MAIN         := src/broker/main.c
ROOM_C       := $(sort $(foreach room,$(ROOMS),$(wildcard src/$(room)/*.c)))
TOOL_C       := $(sort $(wildcard tools/linnet/*.c tools/linnet/*/*.c))
HARNESS_C    := $(if $(or $(WHOLE),$(filter core,$(ROOMS))),$(sort $(wildcard test/harness/*.c)))
SCENARIO_C   := $(sort $(wildcard scenario/*.c))
SIM_C        := $(sort $(wildcard sim/*.c))
FUZZ_C       := $(sort $(wildcard fuzz/*_fuzz.c))
BENCH_C      := $(sort $(wildcard bench/*.c))
# One that has a header is a part of the others.
BENCH_LIB_C  := $(filter $(patsubst %.h,%.c,$(wildcard bench/*.h)),$(BENCH_C))
SCENARIOS    := $(sort $(wildcard scenario/*.mqs scenario/*/*.mqs))
PYTESTS      := $(sort $(wildcard test/integration/test_*.py))

UNIT_C     := $(filter %_test.c,$(ROOM_C) $(TOOL_C) $(HARNESS_C))
PRODUCT_C  := $(filter-out %_test.c $(MAIN),$(ROOM_C))
TOOL_LIB_C := $(filter-out %_test.c %/main.c,$(TOOL_C))

only = $(if $(ONLY),$(foreach path,$(1),$(if $(findstring $(ONLY),$(path)),$(path))),$(1))
objects = $(patsubst %.c,$(OBJ)/%.o,$(1))

# The release is what one starts by hand; the other flavours keep theirs in their folder.
PROGRAMS    := $(if $(filter release,$(FLAVOUR)),$(BUILD_ROOT),$(OUT))
DAEMON      := $(if $(and $(WHOLE),$(wildcard $(MAIN))),$(PROGRAMS)/linnetd)
TOOL        := $(if $(and $(WHOLE),$(wildcard tools/linnet/main.c)),$(PROGRAMS)/linnet)
SCENARIO    := $(if $(SCENARIO_C),$(OUT)/scenario)
SIM         := $(if $(SIM_C),$(OUT)/sim)
UNIT_TESTS  := $(patsubst %.c,$(OUT)/test/%,$(call only,$(UNIT_C)))
FUZZERS     := $(patsubst fuzz/%.c,$(OUT)/%,$(call only,$(FUZZ_C)))
# The relay is measured, not run by itself; the others only when they are asked for.
RELAY       := $(OUT)/bench/relay
BENCHES     := $(if $(ONLY),$(patsubst bench/%.c,$(OUT)/bench/%,\
                 $(call only,$(filter-out $(BENCH_LIB_C) bench/relay.c,$(BENCH_C)))))
PYBENCHES   := $(if $(ONLY),$(call only,bench/idle.py))

PRODUCT_LIB := $(OUT)/liblinnet.a
TOOL_LIB    := $(OUT)/libtool.a
HARNESS_LIB := $(OUT)/libharness.a
BENCH_LIB   := $(OUT)/libbench.a

# ---- verbs ---------------------------------------------------------------------------------------

.PHONY: build run check test unit scenario sim asan tsan fuzz bench integration kill-loop abuse \
        analyze tidy docs format install clean help all-objects fuzz-check analyze-roles \
        deps-build deps-test deps-bench FORCE

build: $(PRODUCT_LIB) $(DAEMON) $(TOOL)

# As who built it: build/run is theirs, and a user called linnet may not even get there.
run: build
	@mkdir -p $(BUILD_ROOT)/run
	cd $(BUILD_ROOT)/run && exec $(abspath $(BUILD_ROOT))/linnetd -o user=root \
	        $(if $(wildcard linnet.conf),-c $(abspath linnet.conf)) $(RUN_ARGS)

# Unit tests, scenarios and simulator are linked in one go; clang then looks at what has changed, by
# the file, for thread roles that gcc does not see; tidy comes last because its rule on dead symbols
# reads all the objects.
check: | deps-test
	@tools/suite steps '$(MAKE)' all-objects analyze-roles unit scenario tidy

test: | deps-test
	@tools/suite steps '$(MAKE)' all-objects analyze-roles \
	        'FLAVOUR=asan unit' 'FLAVOUR=asan scenario' 'FLAVOUR=asan sim' fuzz-check \
	        'FLAVOUR=tsan unit' integration 'FLAVOUR=tsan integration' tidy

unit: $(UNIT_TESTS)
	@$(if $^,tools/suite programs unit-$(FLAVOUR) $^,echo 'unit: no tests here')

scenario: $(SCENARIO)
	@$(if $(and $^,$(SCENARIOS)),tools/suite command scenario-$(FLAVOUR) \
	        $< $(call only,$(SCENARIOS)),echo 'scenario: nothing to run yet')

sim: $(SIM)
	@$(if $^,tools/suite command sim-$(FLAVOUR) $< --seed $(SEED) --runs $(RUNS),\
	        echo 'sim: nothing to run yet')

asan: | deps-test
	@tools/suite steps '$(MAKE)' 'FLAVOUR=asan unit' 'FLAVOUR=asan scenario' 'FLAVOUR=asan sim'

tsan: | deps-test
	@tools/suite steps '$(MAKE)' 'FLAVOUR=tsan unit' 'FLAVOUR=tsan integration'

tidy:
	@tools/suite command tidy-self-test tools/tidy --self-test
	@$(if $(wildcard tools/conformance),tools/suite command conformance-self-test \
	        tools/conformance --self-test)
	@tools/suite command compare-self-test \
	        env PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 bench/compare --self-test
	@tools/suite command tidy tools/tidy

bench: $(or $(BENCHES),$(RELAY)) $(DAEMON) $(TOOL) | $(if $(BENCHES),,deps-bench)
	@$(if $(BENCHES)$(PYBENCHES),set -e; for bench in $(BENCHES) $(PYBENCHES); do \
	        LINNETD=$(DAEMON) PYTHONDONTWRITEBYTECODE=1 $$bench; done,\
	        LINNETD=$(DAEMON) LINNET=$(TOOL) RELAY=$(RELAY) PYTHONDONTWRITEBYTECODE=1 \
	        /usr/bin/python3 bench/compare $(if $(ONLY),--only '$(ONLY)') $(BENCH_ARGS))

docs: build
	@mkdir -p doc
	$(if $(DAEMON),$(DAEMON) --reference > $(OUT)/configuration.md)
	$(if $(DAEMON),mv $(OUT)/configuration.md doc/configuration.md)
	$(if $(wildcard tools/conformance),tools/conformance)

C_FILES = $(shell git ls-files -mo --exclude-standard -- '*.c' '*.h' ':!*.tbl.h')

format: | deps-test
ifdef FILES
	clang-format -i $(FILES)
else
	@for file in $(sort $(C_FILES)); do \
	        clang-format $$file | diff -u --label $$file --label formatted $$file -; done; true
endif

install: build
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/bin
	$(if $(DAEMON),install -m 755 $(DAEMON) $(DESTDIR)$(PREFIX)/sbin/linnetd)
	$(if $(TOOL),install -m 755 $(TOOL) $(DESTDIR)$(PREFIX)/bin/linnet)
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system $(DESTDIR)$(PREFIX)/lib/sysusers.d
	sed 's,/usr/local/,$(PREFIX)/,' packaging/linnet.service \
	        > $(DESTDIR)$(PREFIX)/lib/systemd/system/linnet.service
	install -m 644 packaging/linnet.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/linnet.conf
	install -d $(DESTDIR)/etc/linnet
	test -e $(DESTDIR)/etc/linnet/linnet.conf || \
	        install -m 644 packaging/linnet.conf $(DESTDIR)/etc/linnet/linnet.conf

clean:
	rm -rf $(BUILD_ROOT)

help:
	@sed -n 's/^## \{0,1\}//p' Makefile

# ---- integration ---------------------------------------------------------------------------------

# Debian's python3: an interpreter from elsewhere does not see Debian's pytest and paho.
integration: $(DAEMON) $(TOOL) $(if $(PYTESTS),test/integration/node_modules/.package-lock.json)
	@$(if $(and $(DAEMON),$(PYTESTS)),LINNETD=$(abspath $(DAEMON)) LINNET=$(abspath $(TOOL)) \
	        LINNET_FLAVOUR=$(FLAVOUR) PYTHONDONTWRITEBYTECODE=1 \
	        tools/suite command integration-$(FLAVOUR) \
	        /usr/bin/python3 -m pytest -q -p no:cacheprovider $(if $(ONLY),-k '$(ONLY)') \
	        test/integration,echo 'integration: nothing to run yet')

# Without SEED=7 on the command line each run has its own, which it prints.
kill-loop: $(DAEMON)
	LINNETD=$(abspath $(DAEMON)) PYTHONDONTWRITEBYTECODE=1 LINNET_KILLS=$(KILLS) \
	        $(if $(filter command line,$(origin SEED)),LINNET_SEED=$(SEED)) \
	        /usr/bin/python3 -m pytest -q -s -p no:cacheprovider test/integration/test_kill.py

# The figures of doc/security.md.
abuse: $(DAEMON)
	LINNETD=$(abspath $(DAEMON)) LINNET_FLAVOUR=$(FLAVOUR) PYTHONDONTWRITEBYTECODE=1 \
	        LINNET_CONNECTIONS=$(CONNECTIONS) LINNET_FIGURES=1 \
	        /usr/bin/python3 -m pytest -q -s -p no:cacheprovider $(if $(ONLY),-k '$(ONLY)') \
	        test/integration/test_abuse*.py

# npm writes this file at the end of an installation.
test/integration/node_modules/.package-lock.json: test/integration/package.json | deps-test
	$(Q)cd test/integration && npm $(if $(wildcard test/integration/package-lock.json),ci,install) \
	        --silent --no-fund --no-audit
	$(Q)touch $@

# ---- fuzz ----------------------------------------------------------------------------------------
# Committed inputs are in fuzz/corpus/<name>/, for fuzz/<name>_fuzz.c; words that help, in
# fuzz/<name>.dict. What a run finds new stays under $(OUT) until someone commits it.

ifneq ($(FLAVOUR),fuzz)
fuzz fuzz-check: | deps-test
	@$(MAKE) --no-print-directory -k FLAVOUR=fuzz $@
else
fuzz_name  = $(patsubst %_fuzz,%,$(notdir $(1)))
fuzz_input = $(wildcard fuzz/corpus/$(call fuzz_name,$(1)))
fuzz_flags = -timeout=20 -rss_limit_mb=2048 -artifact_prefix=$(OUT)/$(call fuzz_name,$(1))- \
             $(addprefix -dict=,$(wildcard fuzz/$(call fuzz_name,$(1)).dict))

fuzz: $(addprefix run-,$(FUZZERS))
fuzz-check: $(addprefix check-,$(FUZZERS))

run-$(OUT)/%: $(OUT)/%
	@mkdir -p $(OUT)/found/$(call fuzz_name,$<)
	$< $(call fuzz_flags,$<) -max_total_time=$(FUZZ_TIME) -print_final_stats=1 \
	        $(OUT)/found/$(call fuzz_name,$<) $(call fuzz_input,$<)

# The same bytes on every run: a fixed seed, a fixed number of inputs, and nothing kept: libFuzzer
# writes to the first folder it is given, which is emptied here.
check-$(OUT)/%: $(OUT)/%
	@rm -rf $(OUT)/scratch/$(*F) && mkdir -p $(OUT)/scratch/$(*F)
	@tools/suite command fuzz-$(call fuzz_name,$<) $< $(call fuzz_flags,$<) -seed=1 -verbosity=0 \
	        -runs=$(FUZZ_RUNS) -max_total_time=20 $(OUT)/scratch/$(*F) $(call fuzz_input,$<)
endif

# ---- analysis ------------------------------------------------------------------------------------

ANALYZED      := $(PRODUCT_C) $(wildcard $(MAIN)) $(TOOL_LIB_C) $(wildcard tools/linnet/main.c)
ANALYZE_FLAGS := $(LANGUAGE) $(WARNINGS) -Wthread-safety -Werror=thread-safety -pthread
# What is off cries wolf: about memcpy as such, sizes multiplied as int, and X-macros.
TIDY_CHECKS   := -*,clang-analyzer-*,bugprone-*,-bugprone-easily-swappable-parameters,$(strip \
                 )-clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling,$(strip \
                 )-bugprone-implicit-widening-of-multiplication-result,-bugprone-macro-parentheses

analyze-roles: $(ANALYZED:%.c=$(BUILD_ROOT)/analyze/%.roles)
analyze: analyze-roles $(ANALYZED:%.c=$(BUILD_ROOT)/analyze/%.tidy)

$(BUILD_ROOT)/analyze/%.roles: %.c Makefile | deps-test
	$(call say,ROLES,$<)
	@mkdir -p $(@D)
	$(Q)clang -fsyntax-only $(ANALYZE_FLAGS) -MMD -MP -MT $@ -MF $@.d $<
	@touch $@

$(BUILD_ROOT)/analyze/%.tidy: $(BUILD_ROOT)/analyze/%.roles
	$(call say,ANALYZE,$*.c)
	$(Q)clang-tidy --quiet --checks='$(TIDY_CHECKS)' --warnings-as-errors='*' $*.c -- \
	        $(LANGUAGE) -pthread 2>/dev/null
	@touch $@

# ---- compiling and linking -----------------------------------------------------------------------

deps-build:
	@$(if $(filter yes,$(DEPS)),tools/install-deps build)

deps-test: deps-build
	@$(if $(filter yes,$(DEPS)),tools/install-deps test)

deps-bench: deps-build
	@$(if $(filter yes,$(DEPS)),tools/install-deps bench)

# Everything the release flavour can compile: what tidy's rule on dead symbols looks at.
all-objects: build $(SCENARIO) $(SIM) $(call objects,$(UNIT_C) $(HARNESS_C) $(BENCH_C))

# The product does not see the folders of tests.
INCLUDES :=
$(OBJ)/tools/%.o: INCLUDES := -I.
$(addprefix $(OBJ)/,%_test.o tools/%_test.o test/%.o scenario/%.o sim/%.o fuzz/%.o bench/%.o): \
        INCLUDES := $(TEST_INCLUDES)

$(call objects,$(UNIT_C)) $(UNIT_TESTS): | deps-test
$(if $(filter fuzz tsan,$(FLAVOUR)),$(call objects,$(ROOM_C) $(TOOL_C)) $(FUZZERS)): | deps-test

$(OBJ)/%.o: %.c Makefile | deps-build
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(COMPILE) $(INCLUDES) -c -o $@ $<

# Archives, so that a program links what it uses. Each has a list of its members, which changes
# when a file comes or goes.
$(PRODUCT_LIB): $(call objects,$(PRODUCT_C))
$(TOOL_LIB):    $(call objects,$(TOOL_LIB_C))
$(HARNESS_LIB): $(call objects,$(filter-out %_test.c,$(HARNESS_C)))
$(BENCH_LIB):   $(call objects,$(BENCH_LIB_C))

$(OUT)/lib%.a: $(OUT)/lib%.list
	$(Q)rm -f $@ && ar rcs $@ $(filter %.o,$^)

$(PRODUCT_LIB:.a=.list): MEMBERS := $(PRODUCT_C)
$(TOOL_LIB:.a=.list):    MEMBERS := $(TOOL_LIB_C)
$(HARNESS_LIB:.a=.list): MEMBERS := $(HARNESS_C)
$(BENCH_LIB:.a=.list):   MEMBERS := $(BENCH_LIB_C)
$(OUT)/lib%.list: FORCE
	@mkdir -p $(@D)
	@echo '$(MEMBERS)' | cmp -s - $@ || echo '$(MEMBERS)' > $@

# $(call link,more libraries)
define link
$(call say,LINK,$@)
@mkdir -p $(@D)
$(Q)$(LINK) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(1) $(LIBS)
endef

$(PROGRAMS)/linnetd: $(call objects,$(MAIN)) $(PRODUCT_LIB)
	$(call link,$(DAEMON_LIBS))

$(PROGRAMS)/linnet: $(OBJ)/tools/linnet/main.o $(TOOL_LIB) $(PRODUCT_LIB)
	$(call link,$(TOOL_LIBS))

$(OUT)/scenario: $(call objects,$(SCENARIO_C)) $(HARNESS_LIB) $(PRODUCT_LIB)
	$(call link)

$(OUT)/sim: $(call objects,$(SIM_C)) $(HARNESS_LIB) $(PRODUCT_LIB)
	$(call link)

$(OUT)/test/tools/%: $(OBJ)/tools/%.o $(TOOL_LIB) $(HARNESS_LIB) $(PRODUCT_LIB)
	$(call link,-lcmocka $(TOOL_LIBS))

$(OUT)/test/%: $(OBJ)/%.o $(HARNESS_LIB) $(PRODUCT_LIB)
	$(call link,-lcmocka)

$(OUT)/bench/%: $(OBJ)/bench/%.o $(BENCH_LIB) $(HARNESS_LIB) $(PRODUCT_LIB)
	$(call link)

$(OUT)/%_fuzz: $(OBJ)/fuzz/%_fuzz.o $(HARNESS_LIB) $(PRODUCT_LIB)
	$(call link,-fsanitize=fuzzer)

-include $(shell find $(BUILD_ROOT)/$(FLAVOUR)/obj $(BUILD_ROOT)/analyze -name '*.d' 2>/dev/null)
