# The simulator and the small worlds. Included by tests/module.mk. See tests/sim/README.md.
#
#   make sim [SEEDS=1000] [FIRST=1]    run so many seeds on all processors
#   build/tests/sim --seed N -v        replay one
#   make worlds [DEPTH=120]            small worlds, all of them

SIM_SRCS := $(filter-out sim_worlds.c,$(notdir $(wildcard tests/sim/sim_*.c)))
SIM_OBJS := $(SIM_SRCS:%.c=$(BUILD)/obj/tests/sim/%.o)

$(BUILD)/obj/tests/sim/%.o: tests/sim/%.c
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(CC) $(ALL_CFLAGS) -Itests/sim -c -o $@ $<

# The real engine and core; what is below them is the simulator's own, so none of sys and of netlink but its frames.
SIM_LIBS := engine ipc elect proto netlink base
$(BUILD)/tests/sim: $(SIM_OBJS) $(foreach l,$(SIM_LIBS),$(BUILD)/lib$(l).a)
	@mkdir -p $(@D)
	@echo "  LD $@"
	@$(CC) $(SANFLAGS) $(LDHARDEN) $(LDFLAGS) -pthread -o $@ $(SIM_OBJS) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group

.PHONY: sim-tools sim-test
sim-tools: $(BUILD)/tests/sim $(BUILD)/tests/worlds
# As make test does it: some seeds, those of old, small worlds, planted bugs.
sim-test: sim-tools
	@$(PYTHON) -B tests/tools/run_tests.py --build $(BUILD) sim

.PHONY: sim
sim: $(BUILD)/tests/sim
	@$< --seeds $(or $(SEEDS),1000) --first $(or $(FIRST),1)

# Small worlds, breadth first: all of them to a depth that is printed.
$(BUILD)/tests/worlds: $(BUILD)/obj/tests/sim/sim_worlds.o $(BUILD)/libelect.a $(BUILD)/libproto.a $(BUILD)/libbase.a
	@mkdir -p $(@D)
	@echo "  LD $@"
	@$(CC) $(SANFLAGS) $(LDHARDEN) $(LDFLAGS) -o $@ $^

.PHONY: worlds
worlds: $(BUILD)/tests/worlds
	@for p in 0 1; do \
		$< --nodes 2 --losses 2 --acts 2 --depth $(or $(DEPTH),120) --preempt $$p && \
		$< --nodes 3 --losses 1 --acts 1 --depth $(or $(DEPTH),120) --preempt $$p || exit 1; done
