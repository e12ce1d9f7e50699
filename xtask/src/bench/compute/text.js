// A text of a megabyte grows line by line.
function main() {
    let text = "";
    let round = 0;
    while (round < 75000) {
        text = text + `${round} bottles\n`;
        round = round + 1;
    }
    const whole = text.includes("\n599 bottles\n");
    console.log(`${text.length} ${whole}`);
}

main();
