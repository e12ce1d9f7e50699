// A million rounds of integer arithmetic and comparison.
function main() {
    let round = 0;
    let seed = 1;
    let sum = 0;
    let large = 0;
    while (round < 1000000) {
        seed = (seed * 48271) % 2147483647;
        const digit = seed % 1000;
        if (digit >= 500) {
            large = large + 1;
            sum = sum + digit;
        } else {
            sum = sum - digit;
        }
        round = round + 1;
    }
    console.log(`${seed} ${sum} ${large}`);
}

main();
