// Starts and ends: what a process costs that computes nothing.
function main() {
    console.log("done");
}

main();
