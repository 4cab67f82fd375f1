# Fuzzing with libFuzzer; needs clang. See tests/fuzz/README.md.
#
#   make fuzz [TIME=60] [TARGET="packet elect"]   every target, or these, for TIME seconds each, two at a time
#   make fuzz RUNS=2000                           so many runs instead

FUZZ_BUILD := $(BUILD)/fuzz
FUZZ_CC ?= clang
FUZZ_MAKE = $(MAKE) --no-print-directory BUILD=$(FUZZ_BUILD) CC=$(FUZZ_CC) SAN=fuzzer-no-link,address,undefined CFLAGS="-O1 -g"
FUZZ_TARGETS := $(sort $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c)))
FUZZ_LIBS := $(UNIT_LIBS)
FUZZ_PKGS := $(filter-out cmocka,$(UNIT_PKGS))

$(BUILD)/fuzz_%: tests/fuzz/fuzz_%.c $(foreach l,$(FUZZ_LIBS),$(BUILD)/lib$(l).a)
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(CC) $(ALL_CFLAGS) -fsanitize=fuzzer -Itests $(call pkg_cflags,$(FUZZ_PKGS)) -pie -o $@ $< -Wl,--start-group \
		$(filter %.a,$^) -Wl,--end-group -Wl,--as-needed $(call pkg_libs,$(FUZZ_PKGS)) -lm

.PHONY: fuzz-targets
fuzz-targets: $(addprefix $(BUILD)/fuzz_,$(FUZZ_TARGETS))

-include $(wildcard $(BUILD)/fuzz_*.d)

.PHONY: fuzz
fuzz:
	@$(FUZZ_MAKE) -s fuzz-targets
	@$(PYTHON) -B tests/tools/fuzz.py --build $(FUZZ_BUILD) $(if $(RUNS),--runs $(RUNS),--time $(or $(TIME),60)) \
		$(or $(TARGET),$(FUZZ_TARGETS))
