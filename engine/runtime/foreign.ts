import koffi from 'koffi';

// Sessions are made and run on worker threads whose stacks koffi allocates; its default of 128 KiB is too little for that.
// koffi takes settings only before the first library is loaded, hence this module.
koffi.config({ ...koffi.config(), async_stack_size: 8 * 1024 * 1024 });

export { koffi };
