# The simulator and the small worlds. Included by tests/module.mk. See tests/sim/README.md.
#
#   make sim [SEEDS=1000] [FIRST=1]    run so many seeds on all processors
#   build/tests/sim --seed N -v        replay one

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
	@for n in 2 3; do for p in 0 1; do $< --nodes $$n --preempt $$p $(if $(DEPTH),--depth $(DEPTH)) || exit 1; done; done
